# shellcheck shell=bash
# Shared by run.sbatch and array.sbatch. To be sourced with REPOSITORY, JOB (this job's name in Slurm's
# commands) and KNOWN (what `scontrol show job` tells of it) set.
#
# A job begins with `widthwise run`; whenever its output file exists already it goes on with
# `widthwise resume`. When the program ends early with a checkpoint (exit code 75) the job puts itself
# back into the queue, or leaves the rest to the next job of its chain, unless it was told to stop.

# shellcheck source=jobs/site.sh
. "$REPOSITORY/jobs/site.sh"

say() {
    printf '== %s %s: %s\n' "$(date --iso-8601=seconds)" "job $JOB" "$*"
}

# A command of Slurm; a controller that is busy is asked again.
ask() {
    local pause
    for pause in 1 2 4 8; do
        "$@" && return 0
        sleep $pause
    done
    "$@"
}

# One of the fields in KNOWN, empty where it is not there.
field() {
    sed -n "/\(^\| \)$1=/{s/^\(.* \)\?$1=\([^ ]*\).*/\2/p;q}" <<<"$KNOWN"
}

# How Slurm sees this job: running; requeued by somebody already; cancelled; or ended for another reason
# (time limit, preemption, a lost node). Empty where it does not answer.
fate() {
    local KNOWN restarts
    KNOWN=$(ask scontrol show job "$JOB") || return 0
    restarts=$(field Restarts)
    if [ "$(field JobState)" = RUNNING ]; then
        echo running
    elif [ "${restarts:-0}" -gt "${SLURM_RESTART_COUNT:-0}" ]; then
        echo requeued
    elif [[ "$(field Reason) $(field PreemptTime)" =~ ^None\ (None)?$ ]]; then
        echo cancelled
    else
        echo ended
    fi
}

# Tells the program when the job has to be over: some versions of Slurm do, with the same variable.
export_end_time() {
    local end
    [ -z "${SLURM_JOB_END_TIME:-}" ] || return 0
    end=$(date --date "$(field EndTime)" +%s 2>/dev/null) || return 0 # Unknown: there is no limit
    export SLURM_JOB_END_TIME=$end
}

# The jobs of a chain have one word as their comment.
CHAIN=$(field Comment)
[[ $CHAIN = widthwise-chain-* ]] || CHAIN=

# Those of this chain that wait.
links_left() {
    [ -z "$CHAIN" ] || ask squeue --noheader --user "$(id -un)" --states PENDING --format '%i %k' |
        awk -v chain="$CHAIN" '$2 == chain { print $1 }'
}

drop_chain() {
    local links
    mapfile -t links < <(links_left)
    [ ${#links[@]} -gt 0 ] || return 0
    say "drops the rest of the chain: ${links[*]}"
    ask scancel "${links[@]}" || say "Slurm refuses; cancel them by hand"
}

# What tells a `stop` file from an older one: the clocks of a file system may be others.
mark_of() {
    stat --format '%d %i %y' "$1" 2>/dev/null || true
}

# is_reached FILE STEP: all runs that `show` tells of have a checkpoint of that step, or it tells of none.
is_reached() {
    { "$WIDTHWISE" show "$1" 2>/dev/null || true; } | awk -v until="$2" '
        /^ +checkpoint / {
            newest = 0
            for (i = 2; i <= NF; i++) if ($i + 0 > newest) newest = $i + 0
            if (newest < until) before = 1
        }
        END { exit before }'
}

# What comes after exit code 75: back into the queue, the next job of the chain, or nothing.
# go_on_or_not TOLD: whether this shell had a SIGTERM.
go_on_or_not() {
    local told=$1 seen
    seen=$(fate)
    if [ "$seen" = requeued ]; then
        say "Slurm puts the job back itself"
    elif [ "$seen" = cancelled ]; then
        say "cancelled; submit again to go on"
        drop_chain
    elif [ -n "$CHAIN" ] && [ -n "$(links_left)" ]; then
        say "the next job of the chain goes on"
    elif [ -n "$CHAIN" ]; then
        say "this was the last job of the chain; submit again to go on"
    elif [ -z "$seen" ] && [ "$told" = yes ]; then # a requeue would bring a cancelled job back
        say "ended by Slurm, which does not tell why; submit again to go on"
    else
        say "back into the queue"
        ask scontrol requeue "$JOB" || say "Slurm refuses; submit again to go on"
    fi
}

# launch WORD...: runs the program; leaves its exit code in `code`, and in `told` whether this shell had
# a SIGTERM meanwhile. The ranks catch the signals; this shell only has to live until they are done.
launch() {
    local file launched
    told=no
    # Slurm signals all processes of this shell: what it starts from then on must survive the next one.
    trap 'told=yes; trap "" TERM USR1' TERM
    trap 'trap "" USR1' USR1
    file=$(mktemp)
    # In the background, so that a signal is not put off until the end. The code goes through a file:
    # `wait` may lose that of a process which ends just when a signal comes.
    (
        trap 'true' TERM USR1
        code=0
        "${LAUNCH[@]}" "$WIDTHWISE" "$@" || code=$?
        echo "$code" >"$file"
    ) &
    launched=$!
    while kill -0 $launched 2>/dev/null; do
        wait $launched || true
        # At once, since Slurm may kill this shell before the program has ended.
        if [ "$told" = yes ] && [ -n "$CHAIN" ] && [ "$(fate)" = cancelled ]; then
            drop_chain
        fi
    done
    trap '' TERM USR1
    read -r code <"$file" || code=137 # that shell was killed
    rm -f "$file"
}

# run_or_resume OUTPUT CONFIG [OPTION...]: options are those of `widthwise run`; of these a restart takes
# the ones that are about a start and not about the run.
run_or_resume() {
    local output=$1 config=$2 word until='' ignored='' stop before code told
    local run=(run "$config" -o "$output" "${@:3}")
    local command=(resume "$output" --wait-lock "$LOCK_SECONDS")
    shift 2
    while [ $# -gt 0 ]; do
        word=$1
        case $word in
            --until | --wall-time | --member | --set) [ $# -eq 1 ] || { word=$1=$2 && shift; } ;;
        esac
        shift
        case $word in
            --member*) ;; # the name of the file tells
            --until=* | --wall-time=* | -q | --quiet) command+=("$word") ;;
            *) ignored+=" $word" ;;
        esac
        [[ $word != --until=* ]] || until=${word#*=}
    done
    if [ ! -e "$output" ]; then
        command=("${run[@]}")
    elif [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ]; then
        say "$output is there and goes on as it was begun: of this line, $config$ignored does not count;" \
            "\`widthwise resume FILE --set\` changes a run"
    fi
    stop=$(dirname "$output")/stop
    before=$(mark_of "$stop")
    export_end_time
    say "start $((${SLURM_RESTART_COUNT:-0} + 1)) on ${SLURM_JOB_NODELIST:-?}, ${SLURM_NTASKS:-1} ranks:" \
        "widthwise ${command[*]}"
    launch "${command[@]}"
    say "exit code $code"
    case $code in
        75)
            if [ -e "$stop" ] && [ "$(mark_of "$stop")" != "$before" ]; then
                say "stopped on request; submit again to go on"
                drop_chain
            elif [ -n "$until" ] && is_reached "$output" "$until"; then
                say "the step of --until is reached"
                drop_chain
            else
                go_on_or_not "$told"
            fi
            ;;
        0 | 2 | 3) drop_chain ;; # complete, refused or diverged
        *)
            if [ "$told" = yes ]; then
                say "ended by Slurm before a checkpoint; submit again to go on"
            else
                say "failed, see above: fix the reason, then submit again"
                drop_chain
            fi
            ;;
    esac
    return "$code"
}
