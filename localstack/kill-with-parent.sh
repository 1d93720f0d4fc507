#!/bin/sh
# Runs a command that must not outlive the process that started it. When that process ends, for any reason, the system
# closes the pipe at standard input here, and this script kills the command.
exec 3<&0
"$@" 3<&- </dev/null &
command=$!
{ cat <&3 >/dev/null; kill -KILL "$command" 2>/dev/null; } &
watcher=$!
trap 'kill -TERM "$command" 2>/dev/null' TERM
exec 3<&-
wait "$command"
status=$?
# A signal to this script ends the wait before the command has ended.
if [ "$status" -gt 128 ] && kill -0 "$command" 2>/dev/null; then
  wait "$command"
  status=$?
fi
kill "$watcher" 2>/dev/null
exit "$status"
