# Used by the other scripts in this folder.

find_python() { # prints a Python of a version that runs: on the path, or pyenv's newest (its shims are on the path too)
  local candidate
  for candidate in "$(command -v "python$1")" \
    "$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python 2>/dev/null | sort -V | tail -n 1)"; do
    if [ -n "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then echo "$candidate"; return; fi
  done
}
