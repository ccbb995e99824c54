# shellcheck shell=bash
# What scripts/demo and scripts/test share: steps with a progress display, Debian packages, Node, npm packages.
# To be sourced with the working directory at the root of the repository.

SETUP_LOG=artifacts/setup.log
STEP_PID=

say() { printf '%s\n' "$*" >&2; }

# One line for the operator: what is wrong and what to do about it.
fail() {
  say "error: $*"
  exit 1
}

# A background job of a script ignores Ctrl-C, so the script has to hand it on.
stop_step() {
  trap - INT TERM HUP
  if [ -n "$STEP_PID" ]; then kill -TERM "$STEP_PID" 2>/dev/null || true; fi
  [ ! -t 2 ] || printf '\n' >&2
  say 'stopped during set-up'
  exit 130
}

# step TITLE COMMAND…: runs the command with its output in a log, showing title and time on one line.
# Returns the command's status; on failure the end of its output has been shown.
step() {
  local title=$1 began=$SECONDS status=0 i=0 from
  shift
  mkdir -p "$(dirname "$SETUP_LOG")"
  : >>"$SETUP_LOG"
  from=$(($(wc -c <"$SETUP_LOG") + 1))
  trap stop_step INT TERM HUP
  "$@" </dev/null >>"$SETUP_LOG" 2>&1 &
  STEP_PID=$!
  if [ -t 2 ]; then
    while kill -0 "$STEP_PID" 2>/dev/null; do
      printf '\r\033[K%s %s (%d s)' "$(printf '|/-\\' | cut -c $((i++ % 4 + 1)))" "$title" $((SECONDS - began)) >&2
      sleep 0.2
    done
    printf '\r\033[K' >&2
  else
    say "$title …"
  fi
  wait "$STEP_PID" || status=$?
  STEP_PID=
  trap - INT TERM HUP
  if [ "$status" = 0 ]; then
    say "✓ $title ($((SECONDS - began)) s)"
  else
    say "✗ $title: exit code $status. The end of its output (all of it: $SETUP_LOG):"
    tail -c "+$from" "$SETUP_LOG" | tail -n 20 | sed 's/^/    /' >&2
  fi
  return "$status"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -q -y --no-install-recommends "$@"
}

# A mirror that is being updated answers wrongly for a moment: once more, then give up.
apt_install_twice() {
  apt_install "$@" || { sleep 5 && apt_install "$@"; }
}

# need_packages COMMAND=PACKAGE…: installs the Debian packages of those commands that are missing.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if ! command -v apt-get >/dev/null; then
    fail "missing: ${missing[*]} (names of Debian packages). Install them and start again"
  fi
  if [ "$(id -u)" != 0 ]; then
    fail "missing: ${missing[*]}. Install with: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  step "Installing ${missing[*]}" apt_install_twice "${missing[@]}" ||
    fail "apt-get could not install ${missing[*]}. Check the network and /etc/apt/sources.list, then start again"
}

# The oldest Node.js that package.json allows.
least_node() {
  sed -n '/"engines"/,/}/s/.*"node": *">=\([0-9.]*\)".*/\1/p' package.json
}

need_node() {
  local least found
  least=$(least_node)
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail "Node.js $least or later with npm is needed. Install it from https://nodejs.org/ or NodeSource, then start again"
  found=$(node --version)
  [ "$(printf '%s\n' "$least" "${found#v}" | sort -V | head -n 1)" = "$least" ] ||
    fail "Node.js $least or later is needed, this is $found. Install it from https://nodejs.org/ or NodeSource, then start again"
}

# npm ci when node_modules is missing or older than the lock file.
need_modules() {
  local installed=node_modules/.package-lock.json
  [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ] || return 0
  step 'Installing npm packages' npm ci --no-audit --no-fund ||
    fail 'npm ci failed. Check the network (npm ping), then start again'
}
