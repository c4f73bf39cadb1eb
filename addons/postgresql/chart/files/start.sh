# Starts PostgreSQL with the settings in "$@". Runs in any image with its programs (sh, not bash; Debian or Alpine).
set -eu
umask 077
# The first process of a container ignores signals that it does not handle.
trap 'exit 143' INT TERM
. /chart/path.sh

data=/data/pgdata

fail() {
  echo "cannot start: $1" >&2
  exit 1
}

# One SQL statement ends with a semicolon and an empty line (-j).
single_user() {
  postgres --single -j -D "$data.new" -c exit_on_error=on -c fsync=off -c log_checkpoints=off "$1" >/dev/null
}

# The folder gets its name when it is complete: a pod that dies before starts again from nothing.
make_data() {
  rm -rf "$data.new"
  # Sorting by code point never changes with the C library, so indexes survive another base image.
  initdb -D "$data.new" --username=postgres --pwfile=/admin/password --auth-host=scram-sha-256 --auth-local=peer \
    --encoding=UTF8 --locale=C.UTF-8 --lc-collate=C --data-checksums --no-sync >/dev/null
  single_user postgres </chart/server.sql
  single_user app </chart/database.sql
  initdb -D "$data.new" --sync-only >/dev/null
  mv "$data.new" "$data"
}

# Versions before 1.2 made no login for the exporter, so it is made at every start, when the server takes logins. If that fails, it
# is the figures alone that are missing. The server has this shell for a child: another exit status would be a crash to it.
make_exporter() {
  until sh /chart/ready.sh >/dev/null; do sleep 0.5; done
  psql -X -q -h /run/postgresql -U postgres -d postgres -v ON_ERROR_STOP=1 -f /chart/exporter.sql ||
    echo "no metrics: the login of the exporter cannot be made" >&2
}

program=$(postgres --version) || fail "the image has no PostgreSQL server on PATH or in /usr/lib/postgresql: see image.repository"
[ -s "$data/PG_VERSION" ] || make_data

program=${program#*) }
version=$(cat "$data/PG_VERSION")
case $program in
  "$version" | "$version".* | "$version"[!0-9]*) ;;
  *) fail "the data is of PostgreSQL $version, the image has $program: set image.tag back, or move the data with pg_dump" ;;
esac

if [ -r /exporter/password ]; then make_exporter & fi
exec postgres -D "$data" -c config_file=/chart/postgresql.conf "$@"
