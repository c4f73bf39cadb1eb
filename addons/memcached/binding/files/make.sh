# Writes the user into the list, or again with the same password, and logs in as it.
[ -r /binding/password ] || fail "the Secret of the binding has no password"
grep -v "^$BINDING_USER:" "$users" >"$users.new" || true
[ "$(wc -l <"$users.new")" -lt "$most" ] || fail "the server cannot have more than $((most - 1)) bindings: remove one, or make another instance"
echo "$BINDING_USER:$(cat /binding/password)" >>"$users.new"
mv "$users.new" "$users"
exec 9>&-

await_login "$BINDING_USER" /binding/password STORED
