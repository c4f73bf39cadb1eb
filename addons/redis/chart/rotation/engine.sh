# How to log in to Valkey or Redis as its administrator, and how to change the password.
set -eu
umask 077

fail() {
  echo "$1" >&2
  exit 1
}

client=$(command -v valkey-cli || command -v redis-cli) || fail "the image has neither valkey-cli nor redis-cli"

# as FILE COMMAND...: the answers of the server on one line, the first is for the login.
as() {
  file=$1
  shift
  { printf 'AUTH admin %s\n' "$(cat "$file")" && printf '%s\n' "$@"; } |
    "$client" -h "$HOST" -p 6380 --tls --cacert /tls/ca.crt 2>&1 | sed '/^$/d' | paste -s -d ' ' -
}

# login FILE: "taken", "refused", or why that cannot be told. It saves, as a change that was cut short may not have.
login() {
  answer=$(as "$1" "ACL SAVE")
  case $answer in
    "OK OK") echo taken ;;
    WRONGPASS*) echo refused ;;
    *) echo "$answer" ;;
  esac
}

# change NOW WANTED: from the password in one file to that in the other.
change() {
  hash=$(printf %s "$(cat "$2")" | sha256sum)
  answer=$(as "$1" "ACL SETUSER admin resetpass #${hash%% *}")
  [ "$answer" = "OK OK" ] || fail "the server does not change the password: $answer"
}
