# Exit 0 when the server takes commands: not while it loads its data.
set -eu
client=$(command -v valkey-cli || command -v redis-cli)
answer=$(printf 'AUTH admin %s\nPING\n' "$(cat /admin/password)" | "$client" -s /run/redis/redis.sock 2>&1 | sed '/^$/d' | paste -s -d ' ' -)
[ "$answer" = "OK PONG" ] || {
  echo "$answer"
  exit 1
}
