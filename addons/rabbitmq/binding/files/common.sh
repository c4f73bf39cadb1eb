# Common to both Jobs. Passwords go from files to files and to requests: never to arguments or the environment.
set -eu
umask 077

fail() {
  echo "$1" >&2
  exit 1
}

command -v erl >/dev/null || fail "the image has no Erlang on PATH"
[ -r /admin/password ] || fail "the admin password of the instance cannot be read: check its Secret and podSecurityContext"
# A dump of Erlang would have the passwords.
export HOME=/tmp ERL_CRASH_DUMP=/dev/null

# One request of the management API; erl takes these from the environment. The body is a file, or none.
cat >/tmp/request.erl <<'ERLANG'
-module(request).
-export([main/0]).
main() ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, _} = application:ensure_all_started(inets),
    [Host, Method, Path, User, File, Body] = [os:getenv(Name) || Name <- ["HOST", "METHOD", "API", "AS", "SECRET", "BODY"]],
    {ok, Password} = file:read_file(File),
    Login = "Basic " ++ base64:encode_to_string(iolist_to_binary([User, $:, string:trim(Password)])),
    URL = "https://" ++ Host ++ ":15671/api" ++ Path,
    Headers = [{"authorization", Login}],
    Request = case file:read_file(Body) of
        {ok, Content} -> {URL, Headers, "application/json", Content};
        {error, _} -> {URL, Headers}
    end,
    Tls = [{verify, verify_peer}, {cacertfile, "/tls/ca.crt"}, {server_name_indication, Host}],
    case httpc:request(list_to_atom(Method), Request, [{ssl, Tls}, {timeout, 10000}], []) of
        {ok, {{_, Status, _}, _, Answer}} -> io:format("~b ~ts", [Status, Answer]);
        {error, Reason} -> io:format("0 ~0p", [Reason])
    end,
    halt(0).
ERLANG
(cd /tmp && erlc request.erl) || fail "the Job's program cannot be compiled"

# api METHOD PATH USER PASSWORD_FILE [BODY_FILE]: status and body of the answer; 0 when there is none.
api() {
  METHOD=$1 API=$2 AS=$3 SECRET=$4 BODY=${5:-/tmp/none} erl -noinput +S 1:1 -pa /tmp -s request main
}

# admin METHOD PATH STATUSES [BODY_FILE]: what the administrator asks for must end with one of these.
admin() {
  answer=$(api "$1" "$2" admin /admin/password "${4:-}")
  case " $3 " in
    *" ${answer%% *} "*) ;;
    *) fail "the server refuses $1 $2: $answer" ;;
  esac
}

deadline=$(($(date +%s) + 60))
until answer=$(api get /whoami admin /admin/password) && [ "${answer%% *}" = 200 ]; do
  [ "$(date +%s)" -lt "$deadline" ] || fail "no login at $HOST:15671 in 60 s: $answer"
done
