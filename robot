#!/usr/bin/env bash
# The one script: sets the machine up when needed, then runs a command. `./robot --help` lists them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
venv=$here/.venv
requirements=$here/config/requirements
system_ros=/opt/ros/jazzy

usage() {
  cat <<'TEXT'
usage: ./robot COMMAND [ARGUMENT …]

  demo      set up, start simulator or recording, robot and center, show findings live, compare with the truth
  test      set up, then every check and test that CI runs        (test -- PYTEST-ARGUMENTS for a part)
  up        run the stack as on the robot
  setup     system packages, Python environment, ROS 2 and workspace; done by every command when something changed
  lock      rewrite the lock files from config/requirements/*.in
  shell     run a command in the robot's environment              (shell -- COMMAND …)
  help      this, and the commands below

Further commands, each with --help:
TEXT
}

say() { printf '\033[2m%s\033[0m\n' "robot: $*" >&2; }
fail() { printf 'robot: %s\n' "$*" >&2; exit 1; }

# --- system packages ---------------------------------------------------------------------------------------------

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

install_system_packages() { # FILE…: lines of alternatives, first available one wins
  command -v dpkg-query >/dev/null || { say "not a Debian system: install what $* name by hand"; return; }
  local missing=() line choice alternatives
  while read -r line; do
    IFS='|' read -ra alternatives <<<"$line"
    for choice in "${alternatives[@]}"; do installed "$choice" && continue 2; done
    missing+=("$line")
  done < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$@")
  ((${#missing[@]})) || return 0
  local sudo=()
  ((EUID == 0)) || sudo=(sudo)
  say "installing system packages: ${missing[*]}"
  local log=$here/var/log/apt.txt
  mkdir -p "$(dirname "$log")"
  "${sudo[@]}" apt-get update -qq >"$log" 2>&1 || say "package lists could not be refreshed; going on with what is here"
  local names=()
  for line in "${missing[@]}"; do
    IFS='|' read -ra alternatives <<<"$line"
    for choice in "${alternatives[@]}"; do
      if apt-cache show "$choice" >/dev/null 2>&1; then names+=("$choice"); continue 2; fi
    done
    fail "no package for $line: run 'apt-get update' and look for its name on this system"
  done
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${names[@]}" >>"$log" 2>&1 \
    || { tail -n 5 "$log" >&2; fail "system packages could not be installed: ${names[*]} (var/log/apt.txt)"; }
}

# --- Python and ROS ----------------------------------------------------------------------------------------------

python_for_venv() { # the system's own interpreter first: with a system ROS it is the only right one
  local candidate
  for candidate in /usr/bin/python3 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or 3.12 with venv is needed (Debian: apt-get install python3-venv)"
}

locks() {
  echo "$requirements/python.lock"
  [[ -d $system_ros ]] || echo "$requirements/ros.lock"
}

fingerprint() { cat "$@" | sha256sum | cut -c1-16; }

make_environment() {
  local wanted
  mapfile -t lock_files < <(locks)
  wanted=$(fingerprint "${lock_files[@]}")
  [[ -f $venv/fingerprint && $(<"$venv/fingerprint") == "$wanted" ]] && return
  local python
  python=$(python_for_venv)
  say "making the Python environment with $("$python" --version) (about 1.5 GB, a minute or two)"
  # Always from nothing: some ROS wheels share files, and replacing one package removes another's.
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$(<"$requirements/uv.version")" >&2
  "$venv/bin/uv" pip sync --quiet --python "$venv/bin/python" --require-hashes "${lock_files[@]}" >&2 \
    || fail "Python packages could not be installed"
  echo "$wanted" >"$venv/fingerprint"
}

source_ros() { # what every command and every node needs in its environment
  export PATH=$venv/bin:$PATH VIRTUAL_ENV=$venv
  export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
  # Fast DDS 2 (Jazzy) reads the first of these names, Fast DDS 3 the second.
  export FASTRTPS_DEFAULT_PROFILES_FILE=${FASTRTPS_DEFAULT_PROFILES_FILE:-$here/config/fastdds.xml}
  export FASTDDS_DEFAULT_PROFILES_FILE=$FASTRTPS_DEFAULT_PROFILES_FILE
  # OpenBLAS threads wait for each other by spinning, which is ruinous with a process a node on few cores.
  unset PYTHONDONTWRITEBYTECODE # compiling every module at every start takes as long as running them
  export PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}
  set +u
  if [[ -d $system_ros ]]; then
    # shellcheck disable=SC1091
    source "$system_ros/setup.bash"
  else
    export AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv ROS_DISTRO=jazzy ROS_VERSION=2
    export CMAKE_TOOLCHAIN_FILE=$here/ros2_ws/cmake/pypi_wheels.cmake
  fi
  local overlay
  for overlay in underlay/install install; do
    # shellcheck disable=SC1090
    [[ -f $here/ros2_ws/$overlay/local_setup.bash ]] && source "$here/ros2_ws/$overlay/local_setup.bash"
  done
  set -u
  export PYTHONPATH=$here/src${PYTHONPATH:+:$PYTHONPATH}
}

workspace_fingerprint() { # which files there are, and what those say that decide how it is built
  cd "$here"
  {
    pwd
    find launch config models sim src/inspection_robot ros2_ws/src ros2_ws/underlay ros2_ws/cmake -type f \
      -not -path '*/install/*' -not -path '*/build/*' -not -path '*/log/*' -not -path '*/cache/*' -not -name '*.pyc' | sort
    find ros2_ws/src ros2_ws/underlay/*/* ros2_ws/cmake -type f -not -path '*/install/*' -not -path '*/build/*' -not -path '*/log/*' | sort | xargs cat
    cat setup.py setup.cfg package.xml ros2_ws/colcon_defaults.yaml
  } | sha256sum | cut -c1-16
}

build_workspace() {
  local wanted log=$here/ros2_ws/log/build.txt
  wanted=$(workspace_fingerprint)
  [[ -f $here/ros2_ws/install/fingerprint && $(<"$here/ros2_ws/install/fingerprint") == "$wanted" ]] && return
  say "building ros2_ws"
  mkdir -p "$here/ros2_ws/log"
  (
    source_ros
    cd "$here/ros2_ws"
    : >"$log"
    mapfile -t missing < <(python underlay/missing.py)
    if ((${#missing[@]})); then
      colcon --log-base log build --base-paths underlay --build-base underlay/build --install-base underlay/install \
        --packages-select "${missing[@]}" >>"$log" 2>&1
      set +u
      # shellcheck disable=SC1091
      source underlay/install/local_setup.bash
      set -u
    fi
    COLCON_DEFAULTS_FILE=colcon_defaults.yaml colcon build >>"$log" 2>&1
  ) || { tail -n 30 "$log" >&2; fail "the workspace did not build; the whole output is in ros2_ws/log/build.txt"; }
  echo "$wanted" >"$here/ros2_ws/install/fingerprint"
}

setup() {
  install_system_packages "$requirements/apt.txt" "$@"
  make_environment
  build_workspace
}

lock() {
  make_environment
  cd "$requirements"
  local options=(--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url)
  "$venv/bin/uv" pip compile "${options[@]}" runtime.in dev.in -o python.lock
  "$venv/bin/uv" pip compile "${options[@]}" ros.in -c python.lock -o ros.lock
}

run_tests() {
  [[ ${1:-} == -- ]] && shift
  setup "$requirements/apt-dev.txt"
  source_ros
  cd "$here"
  if (($#)); then exec python -m pytest "$@"; fi
  say "ruff"; ruff check . && ruff format --check --quiet .
  say "mypy"; mypy
  say "import-linter"; lint-imports
  say "pytest"; exec python -m pytest --durations=10
}

command=${1:-help}
(($#)) && shift
case $command in
  setup) setup; say "ready" ;;
  lock) lock ;;
  test) run_tests "$@" ;;
  shell)
    setup
    source_ros
    [[ ${1:-} == -- ]] && shift
    exec "${@:-bash}"
    ;;
  help | -h | --help)
    usage
    if [[ -x $venv/bin/python ]]; then
      PYTHONPATH=$here/src "$venv/bin/python" -m inspection_robot.cli --help | sed '1,/^positional/d; /^options/,$d' | tail -n +2
    else
      echo "  (run ./robot setup first)"
    fi
    ;;
  *)
    setup
    source_ros
    exec python -m inspection_robot.cli "$command" "$@"
    ;;
esac
