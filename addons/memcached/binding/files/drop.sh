# Takes the user out of the list if it is there, and waits until its login is refused.
grep -v "^$BINDING_USER:" "$users" >"$users.new" || true
mv "$users.new" "$users"
exec 9>&-

password=/binding/password
[ -r "$password" ] || password=/admin/password
await_login "$BINDING_USER" "$password" "CLIENT_ERROR authentication failure"
