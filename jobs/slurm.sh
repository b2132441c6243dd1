# shellcheck shell=bash
# Shared by run.sbatch and array.sbatch. To be sourced after REPOSITORY is set.
#
# A job begins with `widthwise run`; whenever its output file exists already it goes on with
# `widthwise resume`. When the program ends early with a checkpoint (exit code 75) the job puts itself
# back into the queue, unless it was told to stop.

# shellcheck source=jobs/site.sh
. "$REPOSITORY/jobs/site.sh"

say() {
    printf '== %s %s: %s\n' "$(date --iso-8601=seconds)" "job $SLURM_JOB_ID" "$*"
}

# Tells the program when the job has to be over: some versions of Slurm do, with the same variable.
export_end_time() {
    local end
    [ -z "${SLURM_JOB_END_TIME:-}" ] || return 0
    end=$(squeue --noheader --job "$SLURM_JOB_ID" --format %e 2>/dev/null | head -n 1) || return 0
    end=$(date --date "$end" +%s 2>/dev/null) || return 0 # "NONE" where there is no limit
    export SLURM_JOB_END_TIME=$end
}

# True when the job is still running as Slurm sees it: not cancelled, not being requeued already.
is_running() {
    [ "$(squeue --noheader --job "$SLURM_JOB_ID" --format %T 2>/dev/null | head -n 1)" = RUNNING ]
}

# Seconds since 1970 of the last change of a file, 0 where there is none.
changed_at() {
    stat --format %Y "$1" 2>/dev/null || echo 0
}

# Drops the jobs that would go on after this one: the run is over.
drop_chain() {
    local job comment
    while read -r job comment; do
        [ "$comment" != "$WIDTHWISE_CHAIN" ] || [ "$job" = "$SLURM_JOB_ID" ] || scancel "$job"
    done < <(squeue --noheader --user "$(id -un)" --format '%i %k')
}

# How far a file is, as one text to compare.
progress_of() {
    "$WIDTHWISE" show "$1" 2>/dev/null | grep --extended-regexp '^ +(run[0-9]+|checkpoint)' || true
}

# run_or_resume OUTPUT CONFIG [OPTION...]: options are those of `widthwise run`; of these a restart takes
# the ones that are about a start and not about the run.
run_or_resume() {
    local output=$1 config=$2 began before code=0 was_told=no command word keep=no
    shift 2
    began=$(date +%s)
    # The ranks catch the signals; this shell only has to live until they are done.
    trap 'was_told=yes' TERM
    trap 'true' USR1
    if [ -e "$output" ]; then
        command=(resume "$output")
        for word in "$@"; do
            case $word in
                --wall-time | --until) keep=value && command+=("$word") ;;
                --wall-time=* | --until=* | -q | --quiet) command+=("$word") ;;
                *)
                    [ $keep = no ] || command+=("$word")
                    keep=no
                    ;;
            esac
        done
    else
        command=(run "$config" -o "$output" "$@")
    fi
    before=$(progress_of "$output")
    export_end_time
    say "start $((${SLURM_RESTART_COUNT:-0} + 1)) on ${SLURM_JOB_NODELIST:-?}, ${SLURM_NTASKS:-1} ranks:" \
        "widthwise ${command[*]}"
    # In the background, so that a signal that comes here meanwhile is not put off until the end.
    "${LAUNCH[@]}" "$WIDTHWISE" "${command[@]}" &
    local launched=$!
    while true; do
        code=0
        wait "$launched" || code=$?
        kill -0 "$launched" 2>/dev/null || break # a signal ended the wait, not the program
    done
    say "exit code $code"
    if [ -n "${WIDTHWISE_CHAIN:-}" ]; then
        case $code in 0 | 2 | 3) drop_chain ;; esac # complete, refused or diverged
    fi
    [ $code -eq 75 ] || return $code
    if [ "$(changed_at "$(dirname "$output")/stop")" -ge "$began" ]; then
        say "stopped on request; submit again to go on"
    elif [ $was_told = yes ] || ! is_running; then
        say "ended by Slurm, which puts the job back itself where that is to be"
    elif [ -n "${WIDTHWISE_CHAIN:-}" ]; then
        say "the next job of the chain goes on"
    elif [ "$before" = "$(progress_of "$output")" ]; then
        say "no step was made since the last start: give the job more time"
        return 1
    else
        say "back into the queue"
        scontrol requeue "$SLURM_JOB_ID" || say "Slurm refuses; submit again to go on"
    fi
    return 75
}
