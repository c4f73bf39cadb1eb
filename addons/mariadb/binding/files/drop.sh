# No new logins, no sessions, no user. One that views, routines, triggers or events were defined by stays as their definer,
# locked and without a password: else they would end to work. Then proves that the login is refused.
admin <<SQL
ALTER USER IF EXISTS $BINDING_USER@'%' IDENTIFIED VIA mysql_native_password USING 'invalid' ACCOUNT LOCK;
SQL
# There may be no session of the user, and no user.
admin -e "KILL HARD CONNECTION USER $BINDING_USER@'%'" 2>/tmp/kill || true

defined=$(admin <<SQL
SELECT COUNT(*) FROM (
  SELECT DEFINER FROM information_schema.VIEWS UNION ALL SELECT DEFINER FROM information_schema.ROUTINES
  UNION ALL SELECT DEFINER FROM information_schema.TRIGGERS UNION ALL SELECT DEFINER FROM information_schema.EVENTS
) AS objects WHERE DEFINER = '$BINDING_USER@%';
SQL
)
[ "$defined" != 0 ] || admin -e "DROP USER IF EXISTS $BINDING_USER@'%'"

sessions=$(admin -e "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '$BINDING_USER' AND COMMAND <> 'Killed'")
[ "$sessions" = 0 ] || fail "$sessions sessions of $BINDING_USER did not end"
if answer=$(login); then fail "$BINDING_USER is dropped but can still log in"; fi
case $answer in
  *"Access denied"* | *"account is locked"*) ;;
  *) fail "cannot tell whether the login of $BINDING_USER is refused: $answer" ;;
esac
