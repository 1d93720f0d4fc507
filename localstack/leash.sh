#!/bin/sh
# Runs a command that must not outlive the one who started it: once standard input ends, which it does however its
# writer dies, the command is killed.
exec 3<&0
"$@" 3<&- </dev/null &
command=$!
{ cat <&3 >/dev/null; kill -KILL "$command" 2>/dev/null; } &
watcher=$!
trap 'kill -TERM "$command" 2>/dev/null' TERM
exec 3<&-
wait "$command"
status=$?
# A signal ends the wait early: wait for the command itself.
if [ "$status" -gt 128 ] && kill -0 "$command" 2>/dev/null; then
  wait "$command"
  status=$?
fi
kill "$watcher" 2>/dev/null
exit "$status"
