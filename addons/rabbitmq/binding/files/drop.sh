# Drops the user if it is there, which ends its connections. Then proves that the login is refused.
password=/binding/password
[ -r "$password" ] || password=/admin/password
requests <<TERMS
{get, "/whoami", "admin", "/admin/password", none, [200], 60}.
{delete, "/users/$BINDING_USER", "admin", "/admin/password", none, [204, 404], 0}.
{get, "/whoami", "$BINDING_USER", "$password", none, [401], 0}.
TERMS
