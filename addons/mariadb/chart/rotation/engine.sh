# How to log in to MariaDB as its administrator, and how to change the password.
set -eu
umask 077

fail() {
  echo "$1" >&2
  exit 1
}

client=$(command -v mariadb || command -v mysql) || fail "the image has neither mariadb nor mysql on PATH"

# as FILE ARGUMENTS...: the client with the password in the file.
as() {
  printf '[client]\nuser=admin\npassword=%s\nhost=%s\nport=3306\nconnect_timeout=5\nssl-ca=/tls/ca.crt\nssl-verify-server-cert\n' \
    "$(cat "$1")" "$HOST" >/tmp/client.cnf
  shift
  "$client" --defaults-file=/tmp/client.cnf --batch --skip-column-names "$@"
}

# login FILE: "taken", "refused", or why that cannot be told.
login() {
  if answer=$(as "$1" -e 'DO 1' 2>&1); then
    echo taken
  else
    case $answer in
      *"Access denied"*) echo refused ;;
      *) echo "$answer" ;;
    esac
  fi
}

# change NOW WANTED: from the password in one file to that in the other. On the socket, within the pod, the administrator's password is
# the start script's own; a pod that version 1.1 has started knows that of before.
change() {
  as "$1" <<SQL
CREATE USER IF NOT EXISTS admin@localhost IDENTIFIED BY '$(cat "$1")';
GRANT ALL PRIVILEGES ON *.* TO admin@localhost WITH GRANT OPTION;
ALTER USER admin@'%' IDENTIFIED BY '$(cat "$2")';
SQL
}
