#!/usr/bin/env bash
# Tests the wheel in a fresh environment of each installed Python, outside the source tree, as people install it. First,
# without extras: it scores and reports, and error messages name what training and the study need. Then with all extras.
#
#   tests/manual/pythons.sh [VERSION …]     default: 3.11 3.12 3.13
#
# PIP_ARGUMENTS are passed to pip (a constraint, an index).
#
# If uv is installed, it replaces pip, because it unpacks a package once and links it into the next environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/manual/find_python.sh
versions=("$@")
((${#versions[@]})) || versions=(3.11 3.12 3.13)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONDONTWRITEBYTECODE # uv leaves compiling to the first import; without bytecode, every command would repeat it
export OMP_NUM_THREADS=1 BENCH_OFFLINE=1 BENCH_CACHE_DIR=$work/cache MPLBACKEND=Agg

install() { # installs packages into an environment
  local env=$1
  shift
  if command -v uv >/dev/null; then uv pip install --quiet --python "$env/bin/python" "$@" ${PIP_ARGUMENTS:-}
  else "$env/bin/pip" install --quiet "$@" ${PIP_ARGUMENTS:-}; fi
}

well() { # runs a command that must succeed; shows its output only if it does not
  "$@" >"$work/said" 2>&1 || { echo "failed: $*"; tail -n 20 "$work/said"; exit 1; }
}

refused() { # takes words and a command, which must fail with an error message that contains them and no traceback
  local words=$1
  shift
  if "$@" >"$work/said" 2>&1; then echo "did not fail: $*"; exit 1; fi
  if grep -q Traceback "$work/said" || ! grep -q "^bench: .*$words" "$work/said"; then cat "$work/said"; exit 1; fi
}

builder=$(find_python "${versions[0]}")
# Builds from a copy, so that earlier build outputs stay out of the wheel and none are left behind.
mkdir "$work/source"
git ls-files -z | xargs -0 cp --parents -t "$work/source"
"$builder" -m venv "$work/build"
install "$work/build" build
"$work/build/bin/python" -m build --wheel --outdir "$work/wheel" "$work/source" >/dev/null
wheel=$(ls "$work"/wheel/*.whl)

for version in "${versions[@]}"; do
  python=$(find_python "$version")
  [ -n "$python" ] || { echo "$version: not installed"; exit 1; }
  env=$work/env-$version home=$work/home-$version
  "$python" -m venv "$env"
  mkdir "$home"
  cd "$home"
  install "$env" "$wheel"
  bench=$env/bin/bench
  "$bench" --version
  "$env/bin/python" - <<'PYTHON'
import av
import numpy as np
from pathlib import Path

random = np.random.default_rng(0)
Path("film").mkdir()
with av.open("film/a.mp4", "w") as film:
    stream = film.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
    for picture in random.integers(0, 256, (16, 32, 32, 3), np.uint8):
        film.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
    film.mux(stream.encode())
for folder in ("mine", "real"):
    Path(folder).mkdir()
    for name in "ab":
        np.save(Path(folder, f"{name}.npy"), random.integers(0, 256, (16, 32, 32, 3), np.uint8))
PYTHON
  well "$bench" score mine --reference real --metrics mse,psnr,ssim,motion --out scored
  well "$bench" score film --reference film --metrics mse,ssim --out filmed
  well "$bench" report scored --ci
  well "$bench" export scored --to results.json
  well "$env/bin/python" -m bench leaderboard results.json --out board
  [ -s scored/report.html ] && [ -s board/index.html ]
  well "$bench" push scored --to lab/scored --dry-run
  refused 'timelapse-bench\[study\]' "$bench" study status --db study.db
  refused 'timelapse-bench\[train\]' "$bench" run --models copy --preset smoke --out run
  refused 'timelapse-bench\[study\]' "$bench" reproduce table2 --preset smoke --out table2
  refused 'timelapse-bench\[hub\]' env HF_TOKEN=hf_any BENCH_OFFLINE= "$bench" push scored --to lab/scored
  install "$env" "$wheel[train,study,hub]"
  well "$bench" data make sky data --train-videos 2 --test-videos 2 --clips-per-video 1
  well "$bench" run --models vgan --data-root data --preset smoke --steps 1 --set options.vgan.width=4 \
    --metrics mse,ssim --out run
  well "$bench" release run --to release
  (cd release && well sha256sum --check SHA256SUMS)
  well "$bench" generate --checkpoint release/run-vgan-0.pt --data-root data --out generated
  for clip in run/predictions/vgan/*.png; do well cmp "$clip" "generated/vgan/$(basename "$clip")"; done
  refused "HF_TOKEN is not set" env BENCH_OFFLINE= "$bench" push run --to lab/run --checkpoints
  refused "could not be reached" env BENCH_OFFLINE= HF_TOKEN=hf_any HF_ENDPOINT=http://127.0.0.1:9 \
    "$bench" push run --to lab/run --checkpoints
  well "$bench" study create --run run --comparison vgan:copy --clips 2 --votes 1 --catch 0 --out study.db \
    --accept-first-frames
  well "$bench" study simulate --db study.db --raters 2
  well "$bench" study export --db study.db --study "study simulated 1" --out run/study
  well "$bench" report run
  well "$env/bin/python" -m streamlit --version
  "$env/bin/python" - <<'PYTHON'
from importlib.resources import files

parts = {"bench.report.html": "page.html.j2", "study_app.web": "rater", "study_app.store.schema": "migrations"}
held = [files(package) / name for package, name in parts.items()]
assert all(path.is_file() or path.is_dir() for path in held), held
assert "site-packages" in str(held[0]), held[0]
PYTHON
  echo "$version: $("$env/bin/python" --version), $(du -sh "$env" | cut -f 1) with everything: well"
  rm -rf "$env" # frees gigabytes that the next environment needs
done
