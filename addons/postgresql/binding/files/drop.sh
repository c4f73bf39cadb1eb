# Drops the user if it is there: no new logins, no sessions, nothing it owns, no user. Then proves that the login is refused.
admin <<'SQL'
SELECT count(*) = 1 AS found, coalesce(max(oid::int8), 0) AS user_id FROM pg_roles WHERE rolname = :'user' \gset
\if :found
  ALTER ROLE :"user" NOLOGIN;
  SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usesysid = :user_id \g /dev/null
  SELECT count(*) AS sessions, count(*) > 0 AS alive FROM pg_stat_activity WHERE usesysid = :user_id \gset
  \if :alive
    \warn :sessions 'sessions of the user did not end in 5 s'
    SELECT 1 / 0;
  \endif
  \connect app
  BEGIN;
  REASSIGN OWNED BY :"user" TO app_owner;
  DROP OWNED BY :"user";
  DROP ROLE :"user";
  COMMIT;
  -- A login that was under way when NOLOGIN came is a session by now.
  SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usesysid = :user_id \g /dev/null
\endif
SQL

if answer=$(login); then fail "$BINDING_USER is dropped but can still log in"; fi
case $answer in
  *"password authentication failed"* | *"no password supplied"*) ;;
  *) fail "cannot tell whether the login of $BINDING_USER is refused: $answer" ;;
esac
