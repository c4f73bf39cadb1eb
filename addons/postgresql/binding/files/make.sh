# Makes the user, or gives an existing one the same password and rights again, and logs in as it.
[ -r /binding/password ] || fail "the Secret of the binding has no password"
admin -v password="" -v access="$ACCESS" -v connection_limit="$CONNECTION_LIMIT" <<'SQL'
\set password `cat /binding/password`
-- The statement that sets a password must not reach the server's log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
BEGIN;
SELECT format('CREATE ROLE %I', :'user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
ALTER ROLE :"user" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT
  CONNECTION LIMIT :connection_limit PASSWORD :'password';
SELECT :'access' = 'read-only' AS reader \gset
\if :reader
  GRANT app_reader TO :"user";
\else
  GRANT app_owner TO :"user";
  -- What it creates belongs to the common owner, so the next user can alter it.
  ALTER ROLE :"user" IN DATABASE app SET role TO app_owner;
\endif
COMMIT;
SQL

role=$(login) || fail "$BINDING_USER cannot log in: $role"
case $ACCESS:$role in
  read-write:app_owner | "read-only:$BINDING_USER") ;;
  *) fail "$BINDING_USER has logged in with the rights of $role" ;;
esac
