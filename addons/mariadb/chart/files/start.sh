# Starts MariaDB with the settings in "$@". Runs in any image with its programs (sh, not bash; Debian or Alpine).
set -eu
umask 077
# The first process of a container ignores signals that it does not handle.
trap 'exit 143' INT TERM

data=/data/mysql
run=/run/mariadb

fail() {
  echo "cannot start: $1" >&2
  exit 1
}

server=$(command -v mariadbd || command -v mysqld) || fail "the image has neither mariadbd nor mysqld on PATH: see image.repository"
[ -r /admin/password ] || fail "the admin password cannot be read: check the instance's Secret and podSecurityContext"

# The folder gets its name when it is complete: a pod that dies before starts again from nothing.
if [ ! -d "$data" ]; then
  rm -rf "$data.new"
  # Its root is the administrator without a password, on the socket and for the system's root alone, whom the pod does not have.
  mariadb-install-db --no-defaults --datadir="$data.new" --auth-root-authentication-method=socket \
    --auth-root-socket-user=root --skip-test-db --skip-name-resolve --force >"$run/install.log" 2>&1 ||
    fail "the data cannot be made: $(tail -n 3 "$run/install.log")"
  mv "$data.new" "$data"
fi

# Run by the server at every start, before it takes connections: the passwords of administrator and exporter
# are always those of the Secret. On the socket the administrator has another one, known in the pod alone: the probe's, which a rotation
# must not lock out. What sed is to do comes from its standard input: arguments are seen by others.
inside=$(tr -dc 'a-zA-Z0-9' </dev/urandom | head -c 32)
printf 's/PASSWORD/%s/\ns/LOCAL/%s/\n' "$(cat /admin/password)" "$inside" | sed -f /dev/stdin /chart/init.sql >"$run/init.sql"
if [ -r /exporter/password ]; then
  cat <<SQL
CREATE USER IF NOT EXISTS exporter@'127.0.0.1';
ALTER USER exporter@'127.0.0.1' IDENTIFIED BY '$(cat /exporter/password)' WITH MAX_USER_CONNECTIONS 3;
GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO exporter@'127.0.0.1';
SQL
else
  echo "DROP USER IF EXISTS exporter@'127.0.0.1';"
fi >>"$run/init.sql"
printf '[client]\nuser=admin\npassword=%s\nsocket=%s/server.sock\n' "$inside" "$run" >"$run/client.cnf"

exec "$server" --defaults-file=/chart/server.cnf --init-file="$run/init.sql" "$@"
