# Common to both Jobs. Passwords go from files to files and to the client's standard input: never to arguments or the environment.
set -eu
umask 077

fail() {
  echo "$1" >&2
  exit 1
}

client=$(command -v mariadb || command -v mysql) || fail "the image has neither mariadb nor mysql on PATH"
[ -r /admin/password ] || fail "the admin password of the instance cannot be read: check its Secret and podSecurityContext"

# login_file FILE USER PASSWORD_FILE: how to log in as somebody.
login_file() {
  printf '[client]\nuser=%s\npassword=%s\nhost=%s\nport=3306\nconnect_timeout=5\nssl-ca=/tls/ca.crt\nssl-verify-server-cert\n' \
    "$2" "$(cat "$3")" "$HOST" >"$1"
}

admin() { "$client" --defaults-file=/tmp/admin.cnf --batch --skip-column-names "$@"; }
login() { "$client" --defaults-file=/tmp/user.cnf --batch --skip-column-names app -e 'SELECT CURRENT_USER()' 2>&1; }

login_file /tmp/admin.cnf admin /admin/password
password=/binding/password
# A user whose Secret was lost can still be dropped, and any password will do to see the login refused.
[ -r "$password" ] || password=/admin/password
login_file /tmp/user.cnf "$BINDING_USER" "$password"

deadline=$(($(date +%s) + 45))
until answer=$(admin -e 'DO 1' 2>&1); do
  [ "$(date +%s)" -lt "$deadline" ] || fail "no login at $HOST:3306 in 45 s: $answer"
  sleep 0.2
done
