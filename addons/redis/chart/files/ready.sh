# Exit 0 when the server takes commands: not while it loads its data.
set -eu
client=$(command -v valkey-cli || command -v redis-cli)
printf 'AUTH admin %s\nPING\n' "$(cat /admin/password)" | "$client" -h 127.0.0.1 | grep -qx PONG
