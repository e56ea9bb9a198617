#!/usr/bin/env bash
# Make the environment of the project in .venv: everything that the commands of the Makefile need.
#
# 1. Find Python 3.11 or newer with venv and pip, and the libarchive library. What the machine lacks is named, and
#    installed where that can be done without a question: by root on Debian and its relatives.
# 2. Install the project and its tools into .venv, in the versions of constraints.txt.
#
# Done once: again only when this file, pyproject.toml, constraints.txt or the place of the project changes.
# PYTHON=/path/to/python3.12 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.venv
stamp=$venv/.set-up-for
packages=(python3 python3-venv libarchive13)

say() { printf '%s\n' "$*"; }

stop() {
  printf '%s\n' "$@" >&2
  exit 1
}

# What the environment was made from. A moved project counts as changed: the environment holds absolute paths.
wanted() {
  pwd -P
  sha256sum scripts/setup.sh pyproject.toml constraints.txt
}

is_ready() {
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted)" ] && "$venv/bin/python" -c '' 2>/dev/null
}

# Exit status 0 when the interpreter is new enough; prints what it lacks otherwise.
lacks() {
  "$1" - <<'PYTHON' 2>/dev/null
import ctypes.util, importlib.util, sys
if sys.version_info < (3, 11):
    sys.exit(2)
lacking = [f"the Python module {name}" for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
if not ctypes.util.find_library("archive"):
    lacking.append("the library libarchive")
print(", ".join(lacking))
PYTHON
}

# Set python and lacking: an interpreter that lacks nothing, else the first one that is new enough, else none.
find_python() {
  python='' lacking='Python 3.11 or newer'
  local candidate said
  for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
    said=$(lacks "$candidate") || continue
    if [ -z "$said" ]; then
      python=$candidate lacking=''
      return
    elif [ -z "$python" ]; then
      python=$candidate lacking=$said
    fi
  done
}

install_packages() {
  local command="apt-get install -y --no-install-recommends ${packages[*]}"
  if ! command -v apt-get >/dev/null; then
    stop "This machine lacks $lacking." \
      "Install Python 3.11 or newer with venv and pip, and libarchive, with its package manager; then try again."
  elif [ "$(id -u)" != 0 ]; then
    stop "This machine lacks $lacking." "Run this once, then try again:" "  sudo $command"
  fi
  say "This machine lacks $lacking; installing it: $command"
  local log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  # The lists of packages may be missing or too old: then once more with fresh ones.
  $command >"$log" 2>&1 || { apt-get update >>"$log" 2>&1 && $command >>"$log" 2>&1; } || {
    tail -n 20 "$log" >&2
    stop "apt-get could not install ${packages[*]}; its last words are above, all of them in $log."
  }
  rm -f "$log"
}

pip_install() {
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt "$@"
}

make_environment() {
  if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
  fi
  rm -f "$stamp"
  say "Installing what channeld needs into $venv ($("$venv/bin/python" --version)); this is done once and takes a minute …"
  # First what installs and builds the project, in its pinned version: pip takes half the time of the one that comes with
  # Python 3.11, and an isolated build would take the newest tools. Most modules are never imported: compiling all of
  # them takes as long as installing them, and Python compiles the others when they are.
  { pip_install pip && pip_install hatchling editables && pip_install --no-compile --no-build-isolation -e '.[dev]'; } ||
    stop "pip could not install the project's dependencies; its words are above." \
      "They come from the package index that pip is configured for; '$venv/bin/python -m pip config list' shows it."
  wanted >"$stamp"
  say "The environment is ready."
}

is_ready && exit 0
find_python
if [ -n "$lacking" ]; then
  install_packages
  find_python
  [ -z "$lacking" ] || stop "This machine still lacks $lacking." \
    "Give a Python 3.11 or newer that has everything by PYTHON=/path/to/python3."
fi
make_environment
