# Makes the user, or gives an existing one the same password and rights again, and logs in as it.
[ -r /binding/password ] || fail "the Secret of the binding has no password"
case $ACCESS in
  read-write) changes='.*' ;;
  read-only) changes='^$' ;;
  *) fail "unknown access $ACCESS" ;;
esac

# With the tag it may see its own virtual host in the management API.
printf '{"password": "%s", "tags": "management"}' "$(cat /binding/password)" >/tmp/user.json
printf '{"configure": "%s", "write": "%s", "read": ".*"}' "$changes" "$changes" >/tmp/rights.json
printf '{"value": %s}' "$CONNECTION_LIMIT" >/tmp/limit.json
requests <<TERMS
{get, "/whoami", "admin", "/admin/password", none, [200], 60}.
{put, "/users/$BINDING_USER", "admin", "/admin/password", "/tmp/user.json", [201, 204], 0}.
{put, "/permissions/app/$BINDING_USER", "admin", "/admin/password", "/tmp/rights.json", [201, 204], 0}.
{put, "/user-limits/$BINDING_USER/max-connections", "admin", "/admin/password", "/tmp/limit.json", [204], 0}.
{get, "/whoami", "$BINDING_USER", "/binding/password", none, [200], 0}.
TERMS
