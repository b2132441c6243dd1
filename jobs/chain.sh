#!/usr/bin/env bash
# For sites where jobs cannot be requeued: submits COUNT jobs, each of which goes on where the one
# before it ended. When the run is complete the rest of the chain is dropped.
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

# A job that ends early leaves the rest to the next one; the one that ends the run drops those after it,
# which it knows by this word in their comments.
export WIDTHWISE_CHAIN=widthwise-chain-$$-$(date +%s)
PREVIOUS=
for ((i = 0; i < COUNT; i++)); do
    DEPENDENCY=()
    [ -z "$PREVIOUS" ] || DEPENDENCY=(--dependency "afternotok:$PREVIOUS")
    PREVIOUS=$(sbatch --parsable --no-requeue --comment "$WIDTHWISE_CHAIN" "${DEPENDENCY[@]}" \
        "${OPTIONS[@]}" "$HERE/run.sbatch" "$@")
    PREVIOUS=${PREVIOUS%%;*}
    echo "job $PREVIOUS"
done
