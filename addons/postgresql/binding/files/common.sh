# Common to both Jobs. Passwords come from files and go to files: never to arguments or the environment.
set -eu
umask 077
for folder in /usr/lib/postgresql/*/bin /usr/libexec/postgresql*; do
  if [ -x "$folder/psql" ]; then PATH=$folder:$PATH; fi
done

export HOME=/tmp LC_ALL=C PGHOST="$HOST" PGSSLMODE=verify-full PGSSLROOTCERT=/tls/ca.crt PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=5 PGPASSFILE=/tmp/passwords
# The owner of a database may set these for everybody who enters it, also for us.
export PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=0 -c lock_timeout=30s -c client_min_messages=warning -c default_transaction_read_only=off'

fail() {
  echo "$1" >&2
  exit 1
}

[ -r /admin/password ] || fail "the admin password of the instance cannot be read: check its Secret and podSecurityContext"
{
  printf '*:*:*:postgres:%s\n' "$(cat /admin/password)"
  if [ -r /binding/password ]; then printf '*:*:*:%s:%s\n' "$BINDING_USER" "$(cat /binding/password)"; fi
} >"$PGPASSFILE"

admin() { psql -X -q -v ON_ERROR_STOP=1 -v user="$BINDING_USER" "$@"; }
login() { psql -X -q -A -t -w -U "$BINDING_USER" -d app -c 'SELECT current_user' 2>&1; }

deadline=$(($(date +%s) + 45))
until pg_isready -q; do
  [ "$(date +%s)" -lt "$deadline" ] || fail "no answer from the server at $HOST:$PGPORT in 45 s: $(pg_isready || true)"
  sleep 0.2
done
