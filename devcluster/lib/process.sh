# shellcheck shell=bash
# Programs of a cluster run in the background. A process is known by its id and start time, so a reused id is never mistaken for it.

process_mark() { # pid
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name, in parentheses, may hold spaces; the start time is the 20th field after it.
  read -r -a stat <<<"${stat##*) }"
  [[ ${stat[0]} != Z ]] && echo "$1 ${stat[19]}"
}

alive() { # file with a mark
  local pid mark
  mark=$(cat "$1" 2>/dev/null) && pid=${mark%% *} && [[ $(process_mark "$pid") == "$mark" ]]
}

# start PROGRAM COMMAND...: in the node's namespaces where there is a node; the command is kept for `start_again`
start() {
  local program=$1; shift
  printf '%q ' "$@" >"$RUN/commands/$program"
  # A proxy of the machine's environment must not come between the programs of a cluster.
  env -i PATH="$PATH" HOME="$HOME" setsid "${ENTER[@]}" "$@" </dev/null >>"$RUN/log/$program.log" 2>&1 &
  process_mark $! >"$RUN/pids/$program"
}

start_again() { # program
  known_program "$1"
  ! alive "$RUN/pids/$1" || fail "$1 of cluster '$NAME' runs already"
  local command; eval "command=($(cat "$RUN/commands/$1"))"
  start "$1" "${command[@]}"
}

stop_program() { # program
  known_program "$1"
  kill_marked "$RUN/pids/$1"
}

known_program() { # program
  [[ -e $RUN/commands/$1 ]] || fail "cluster '$NAME' has no program '$1'; it has: $(cd "$RUN/commands" && echo *)"
}

# The process itself: in a node `start` launched nsenter, which waits for its only child.
worker() { # file with a mark
  local pid; pid=$(cut -d' ' -f1 "$1")
  if [[ ${#ENTER[@]} -gt 0 ]]; then pgrep -P "$pid"; else echo "$pid"; fi
}

kill_marked() { # file with a mark
  local pid
  alive "$1" || return 0
  pid=$(worker "$1") && kill -9 "$pid" 2>/dev/null
  wait_until 10 dead "$1" || fail "process $pid does not end"
}
dead() { ! alive "$1"; }

# wait_until SECONDS COMMAND...
wait_until() {
  local end=$((${EPOCHREALTIME/./} + $1 * 1000000)); shift
  until "$@"; do
    [[ ${EPOCHREALTIME/./} -lt $end ]] || return 1
    sleep 0.1
  done
}
