# Makes the user, or gives an existing one the same password and rights again, and logs in as it.
[ -r /binding/password ] || fail "the Secret of the binding has no password"
case $ACCESS in
  read-write) configure='.*' write='.*' ;;
  # "" would be nothing at all; a name that nothing has keeps what the server generates out, too
  read-only) configure='^$' write='^$' ;;
  *) fail "unknown access $ACCESS" ;;
esac

# With the tag it may see its own virtual host in the management API.
printf '{"password": "%s", "tags": "management"}' "$(cat /binding/password)" >/tmp/user.json
printf '{"configure": "%s", "write": "%s", "read": ".*"}' "$configure" "$write" >/tmp/rights.json
printf '{"value": %s}' "$CONNECTION_LIMIT" >/tmp/limit.json
admin put "/users/$BINDING_USER" "201 204" /tmp/user.json
admin put "/permissions/app/$BINDING_USER" "201 204" /tmp/rights.json
admin put "/user-limits/$BINDING_USER/max-connections" "204" /tmp/limit.json

answer=$(api get /whoami "$BINDING_USER" /binding/password)
[ "${answer%% *}" = 200 ] || fail "$BINDING_USER cannot log in: $answer"
