# Makes the user, or gives an existing one the same password and rights again, saves it, and logs in as it.
[ -r /binding/password ] || fail "the Secret of the binding has no password"
hash=$(printf %s "$(cat /binding/password)" | sha256sum)

# Everything but what administers the server or is dangerous to it. Frameworks need some of the dangerous ones, and
# they harm nobody but the instance's own user.
case $ACCESS in
  read-write) rights="~* &* +@all -@admin -@dangerous +info +keys +sort +sort_ro +flushdb" ;;
  read-only) rights="%R~* &* +@read +@connection +@transaction -@admin -@dangerous +info +keys" ;;
  *) fail "unknown access $ACCESS" ;;
esac

answer=$(as admin /admin/password "ACL SETUSER $BINDING_USER reset on #${hash%% *} $rights" "ACL SAVE")
[ "$answer" = "OK OK OK" ] || fail "the server does not make the user $BINDING_USER: $answer"

answer=$(as "$BINDING_USER" /binding/password PING)
[ "$answer" = "OK PONG" ] || fail "$BINDING_USER cannot log in: $answer"
