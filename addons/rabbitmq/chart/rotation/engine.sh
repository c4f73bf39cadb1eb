# How to log in to RabbitMQ as its administrator, and how to change the password.
set -eu
umask 077
# A dump of Erlang would have the passwords.
export HOME=/tmp ERL_CRASH_DUMP=/dev/null

fail() {
  echo "$1" >&2
  exit 1
}

command -v erl >/dev/null || fail "the image has no Erlang on PATH"

# ask METHOD PATH FILE BODY: the status of the management API's answer to the administrator with the password in the file, or why
# there is none. Words for Erlang come in the environment.
ask() {
  METHOD=$1 WHERE=$2 PASSWORD_FILE=$3 BODY_FILE=$4 erl -noinput +S 1:1 -eval '
    [Method, Where, PasswordFile, BodyFile, Host] = [os:getenv(Name) || Name <- ["METHOD", "WHERE", "PASSWORD_FILE", "BODY_FILE", "HOST"]],
    {ok, _} = application:ensure_all_started(ssl),
    {ok, _} = application:ensure_all_started(inets),
    {ok, Password} = file:read_file(PasswordFile),
    Login = base64:encode_to_string(iolist_to_binary(["admin:", string:trim(Password)])),
    Address = {"https://" ++ Host ++ ":15671/api" ++ Where, [{"authorization", "Basic " ++ Login}]},
    Request = case BodyFile of
      "" -> Address;
      _ -> {ok, Body} = file:read_file(BodyFile), erlang:append_element(erlang:append_element(Address, "application/json"), Body)
    end,
    Tls = [{verify, verify_peer}, {cacertfile, "/tls/ca.crt"}, {server_name_indication, Host}],
    case httpc:request(list_to_atom(Method), Request, [{ssl, Tls}, {timeout, 10000}], []) of
      {ok, {{_, Status, _}, _, _}} -> io:format("~b~n", [Status]);
      {error, Reason} -> io:format("~0p~n", [Reason])
    end,
    halt(0).'
}

# login FILE: "taken", "refused", or why that cannot be told.
login() {
  answer=$(ask get /whoami "$1" "")
  case $answer in
    200) echo taken ;;
    401) echo refused ;;
    *) echo "$answer" ;;
  esac
}

# change NOW WANTED: from the password in one file to that in the other.
change() {
  printf '{"password": "%s", "tags": "administrator"}' "$(cat "$2")" >/tmp/user.json
  answer=$(ask put /users/admin "$1" /tmp/user.json)
  [ "$answer" = 204 ] || fail "the server does not change the password: $answer"
}
