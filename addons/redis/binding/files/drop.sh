# Drops the user if it is there, which ends its connections, and saves that. Then proves that the login is refused.
answer=$(as admin /admin/password "ACL DELUSER $BINDING_USER" "ACL SAVE")
case $answer in
  "OK 1 OK" | "OK 0 OK") ;;
  *) fail "the server does not drop the user $BINDING_USER: $answer" ;;
esac

password=/binding/password
[ -r "$password" ] || password=/admin/password
answer=$(as "$BINDING_USER" "$password" PING)
case $answer in
  WRONGPASS*) ;;
  *) fail "the login of the dropped user $BINDING_USER is not refused: $answer" ;;
esac
