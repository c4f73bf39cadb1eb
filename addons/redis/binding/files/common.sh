# Common to both Jobs. Passwords go from files to the client's standard input: never to arguments or the environment.
set -eu
umask 077

fail() {
  echo "$1" >&2
  exit 1
}

client=$(command -v valkey-cli || command -v redis-cli) || fail "the image has neither valkey-cli nor redis-cli"
[ -r /admin/password ] || fail "the admin password of the instance cannot be read: check its Secret and podSecurityContext"

# as USER PASSWORD_FILE COMMAND...: the answers of the server on one line, the first is for the login.
as() {
  as_user=$1
  as_file=$2
  shift 2
  { printf 'AUTH %s %s\n' "$as_user" "$(cat "$as_file")" && printf '%s\n' "$@"; } |
    "$client" -h "$HOST" -p 6380 --tls --cacert /tls/ca.crt 2>&1 | sed '/^$/d' | paste -s -d ' ' -
}

deadline=$(($(date +%s) + 45))
until answer=$(as admin /admin/password PING) && [ "$answer" = "OK PONG" ]; do
  [ "$(date +%s)" -lt "$deadline" ] || fail "no login at $HOST:6380 in 45 s: $answer"
  sleep 0.2
done
