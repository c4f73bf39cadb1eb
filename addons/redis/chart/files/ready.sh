# Exit 0 when the server takes commands: not while it loads its data.
set -eu
client=$(command -v valkey-cli || command -v redis-cli)
answer=$(printf 'AUTH admin %s\nPING\n' "$(cat /admin/password)" | "$client" -h 127.0.0.1 2>&1 | sed '/^$/d' | paste -s -d ' ' -)
[ "$answer" = "OK PONG" ] || {
  echo "$answer"
  exit 1
}
