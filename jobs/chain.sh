#!/usr/bin/env bash
# For sites where jobs cannot be requeued: submits COUNT jobs, each of which goes on where the one
# before it ended. The rest of the chain is dropped when the run is complete, is stopped or cancelled, or
# fails. The comment of the jobs is the chain's own, by which it knows them.
#
#     jobs/chain.sh COUNT [option of sbatch]... -- CONFIG [-o FILE] [option of `widthwise run`]...
#     jobs/chain.sh 5 --ntasks 64 --time 12:00:00 -- my.yaml -o my.h5
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

[ $# -ge 2 ] || usage
COUNT=$1
shift
[[ $COUNT =~ ^[1-9][0-9]*$ ]] || usage
OPTIONS=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    OPTIONS+=("$1")
    shift
done
[ $# -ge 2 ] || usage
shift

# What the chain needs comes last and counts.
OPTIONS+=(--parsable --no-requeue --comment "widthwise-chain-$$-$(date +%s)")
LINK=("${OPTIONS[@]}")
for ((i = 0; i < COUNT; i++)); do
    JOB=$(sbatch "${LINK[@]}" "$HERE/run.sbatch" "$@")
    JOB=${JOB%%;*}
    echo "job $JOB"
    LINK=("${OPTIONS[@]}" --dependency "afternotok:$JOB")
done
