#!/usr/bin/env bash
# What has to be measured and trained on a GPU, one call at a time, each within MINUTES (9 by default):
#
#   tests/gpu.sh check              every gradient of every model's steps on the device, float32 and bf16, against float64
#   tests/gpu.sh speed              bench speed train: bf16 and float32, compiled or not, 64 and 128 pixels
#   tests/gpu.sh fast               the faster ways of training: gradients against float64, each way beside the usual step, a
#                                   profile of the plain loop, and the speed of the plain loop, the default and each way
#   tests/gpu.sh train SKY RUN      the paper preset on the clips in SKY, going on from the last checkpoint in RUN
#
# Results, small enough to be carried home, lie in OUT (gpu by default). Environment: PYTHON, DEVICE (cuda), OUT, MINUTES,
# GRACE (30, seconds between asking to stop and killing), SPEED, FAST and TRAIN (more options of these commands), WIDTH (32)
# and BATCH (4) of the measured networks.
set -eu -o pipefail # a check that fails fails through `tee`
cd "$(dirname "$0")/.."
call=${1:?"give one of: check, speed, fast, train"}
python=${PYTHON:-python}
device=${DEVICE:-cuda}
out=${OUT:-gpu}
minutes=${MINUTES:-9}
mkdir -p "$out"

# An interrupt that falls into an import can get lost: what goes on after it is killed, which loses no more than it.
bench() { timeout --signal=INT --kill-after="${GRACE:-30}" "${minutes}m" "$python" -m bench.cli "$@"; }

case $call in
check)
    "$python" -m tests.engine.device_check "$device" | tee "$out/check.txt"
    ;;
speed)
    for resolution in 64 128; do
        for way in "--precision 32-true" "--precision bf16-mixed" "--precision bf16-mixed --compile"; do
            # shellcheck disable=SC2086 # several options each
            bench speed train --device "$device" --resolution "$resolution" --width "${WIDTH:-32}" \
                --batch "${BATCH:-4}" $way ${SPEED:-} --out "$out/speed" | tee -a "$out/speed.txt"
        done
    done
    ;;
fast)
    # Each part has a share of the minutes, ends by itself when that is over, and is killed soon after if it hangs. What a
    # part has found until then is in its JSON file. The next part runs whatever happened to this one.
    status=0
    for part in gradients:25 equal:15 profile:10 speed:50; do
        share=${part#*:} part=${part%:*}
        seconds=$(awk "BEGIN { print $minutes * 60 * $share / 100 - 8 }") # the process needs some to start
        # shellcheck disable=SC2086
        timeout --kill-after=5 "$(awk "BEGIN { print ($seconds > 1 ? $seconds : 1) + ${GRACE:-30} }")" \
            "$python" -m tests.engine.gpu_comparison "$part" "$device" "$out" --seconds "$seconds" ${FAST:-} |
            tee -a "$out/fast.txt" || status=1
    done
    exit $status
    ;;
train)
    sky=${2:?"give the folder of the clips"} run=${3:?"give the run folder"}
    status=0
    # shellcheck disable=SC2086
    bench run --models mdgan,vgan,rnngan --dataset sky --data-root "$sky" --preset paper --device "$device" \
        --out "$run" ${TRAIN:-} || status=$?
    case $status in 0 | 124 | 130 | 137) ;; *) exit "$status" ;; esac # out of time: the next call goes on
    mkdir -p "$out/run"
    for what in run.json summary.csv table.md table.csv table.json table.tex figures; do
        if [ -e "$run/$what" ]; then cp -r "$run/$what" "$out/run/"; fi
    done
    if [ -d "$run/checkpoints" ]; then # there is none where time ran out before the first
        (cd "$run" && find checkpoints -name training.csv -o -name model.pt -size -100M) | while read -r file; do
            mkdir -p "$out/run/$(dirname "$file")" && cp "$run/$file" "$out/run/$file"
        done
    fi
    if [ -e "$run/summary.csv" ]; then echo "The run is finished."; else echo "The run is not finished: call again."; fi
    ;;
*)
    echo "There is no call '$call': check, speed, fast or train." >&2
    exit 2
    ;;
esac
