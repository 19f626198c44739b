#!/usr/bin/env bash
# Runs the tests of `make check`, the heavy ones and those that start processes, without the pins of constraints.txt:
#   lowest    of each direct dependency, the lowest that pyproject.toml allows (indirect ones as they are resolved)
#   newest    of all dependencies, the newest
#
#   tests/manual/versions.sh lowest|newest [VERSION]     of an installed Python; default: 3.11 (lowest), 3.13 (newest)
#
# PIP_ARGUMENTS are passed to uv (an index), PYTEST to pytest (a file, -x). uv creates the environment, because pip
# cannot resolve to lowest versions. If uv is missing, pip installs it into build/uv. The environment remains in
# build/versions-lowest or build/versions-newest (several gigabytes each), next to a .txt file that lists its packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/manual/find_python.sh

case ${1:-} in
  lowest) resolution=lowest-direct version=${2:-3.11} ;;
  newest) resolution=highest version=${2:-3.13} ;;
  *) echo "usage: tests/manual/versions.sh lowest|newest [VERSION]" >&2; exit 2 ;;
esac
python=$(find_python "$version")
[ -n "$python" ] || { echo "Python $version is not installed" >&2; exit 1; }
env=$PWD/build/versions-$1
mkdir -p build
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  [ -x build/uv/bin/uv ] || { "$python" -m venv build/uv && build/uv/bin/pip install --quiet uv; }
  uv=$PWD/build/uv/bin/uv
fi

# Includes pip, because some weights are downloaded with it.
"$uv" venv --quiet --clear --seed --python "$python" "$env"
extras=train,study,time,speed,authors,hub,dev
"$uv" pip install --quiet --python "$env/bin/python" --resolution "$resolution" ${PIP_ARGUMENTS:-} --editable ".[$extras]"
"$uv" pip freeze --quiet --python "$env/bin/python" --exclude-editable >"$env.txt"
echo "$1 versions: $(wc -l <"$env.txt") packages, listed in ${env#"$PWD"/}.txt"
PATH=$env/bin:$PATH OMP_NUM_THREADS=1 "$env/bin/python" -m pytest -m "not (browser or training or docs)" ${PYTEST:-}
