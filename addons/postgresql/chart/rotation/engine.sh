# How to log in to PostgreSQL as its superuser, and how to change the password.
set -eu
umask 077
for folder in /usr/lib/postgresql/*/bin /usr/libexec/postgresql*; do
  if [ -x "$folder/psql" ]; then PATH=$folder:$PATH; fi
done

export HOME=/tmp LC_ALL=C PGHOST="$HOST" PGSSLMODE=verify-full PGSSLROOTCERT=/tls/ca.crt PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=5 PGPASSFILE=/tmp/passwords

fail() {
  echo "$1" >&2
  exit 1
}

# as FILE ARGUMENTS...: psql with the password in the file.
as() {
  printf '*:*:*:*:%s\n' "$(cat "$1")" >"$PGPASSFILE"
  shift
  psql -X -q -A -t -w -v ON_ERROR_STOP=1 "$@"
}

# login FILE: "taken", "refused", or why that cannot be told.
login() {
  if answer=$(as "$1" -c 'SELECT 1' 2>&1); then
    echo taken
  else
    case $answer in
      *"password authentication failed"*) echo refused ;;
      *) echo "$answer" ;;
    esac
  fi
}

# change NOW WANTED: from the password in one file to that in the other.
change() {
  as "$1" -v file="$2" <<'SQL'
\set password `cat :file`
-- The statement must not reach the server's log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
ALTER ROLE postgres PASSWORD :'password';
SQL
}
