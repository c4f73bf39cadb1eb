# Drops the user if it is there, which ends its connections. Then proves that the login is refused.
admin delete "/users/$BINDING_USER" "204 404"

password=/binding/password
[ -r "$password" ] || password=/admin/password
answer=$(api get /whoami "$BINDING_USER" "$password")
[ "${answer%% *}" = 401 ] || fail "the login of the dropped user $BINDING_USER is not refused: $answer"
