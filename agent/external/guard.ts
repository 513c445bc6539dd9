/**
 * A shell that stands between a runner and the server that it starts, so that the server never outlives it: not even a
 * runner that is killed leaves one behind. It holds the reading end of a pipe whose writing end only the runner has;
 * when that closes, the whole process group goes. Arguments: a folder to remove (or nothing), then the command. The
 * server's process id is written to file descriptor 3.
 */
export const GUARD = `
dir=$1; shift
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
server=$!
echo "$server" >&3
exec 3>&-
( cat <&4 >/dev/null 2>&1; [ -n "$dir" ] && rm -rf -- "$dir"; kill -KILL 0 ) &
wait "$server"
status=$?
[ -n "$dir" ] && rm -rf -- "$dir"
exit "$status"
`;

/** How the shell tells that a signal ended the command: this and its number. */
export const SIGNAL_STATUS = 128;
