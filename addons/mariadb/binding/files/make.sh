# Makes the user, or gives an existing one the same password and rights again, and logs in as it.
[ -r /binding/password ] || fail "the Secret of the binding has no password"
case $ACCESS in
  read-write) rights="ALL PRIVILEGES" ;;
  read-only) rights="SELECT, SHOW VIEW" ;;
  *) fail "unknown access $ACCESS" ;;
esac

admin <<SQL
CREATE USER IF NOT EXISTS $BINDING_USER@'%';
ALTER USER $BINDING_USER@'%' IDENTIFIED BY '$(cat /binding/password)' WITH MAX_USER_CONNECTIONS $CONNECTION_LIMIT ACCOUNT UNLOCK;
REVOKE ALL PRIVILEGES, GRANT OPTION FROM $BINDING_USER@'%';
GRANT $rights ON app.* TO $BINDING_USER@'%';
SQL

user=$(login) || fail "$BINDING_USER cannot log in: $user"
