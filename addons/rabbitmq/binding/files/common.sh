# Common to both Jobs. Passwords go from files to files and to requests: never to arguments or the environment.
set -eu
umask 077
# A dump of Erlang would have the passwords.
export HOME=/tmp ERL_CRASH_DUMP=/dev/null

fail() {
  echo "$1" >&2
  exit 1
}

command -v erl >/dev/null || fail "the image has no Erlang on PATH"
[ -r /admin/password ] || fail "the admin password of the instance cannot be read: check its Secret and podSecurityContext"

# Requests of the management API, in one process because each start of Erlang takes a second of a processor. Each is a line:
# {Method, Path, User, PasswordFile, BodyFile or none, Statuses, Seconds}. The answer has one of the statuses after so many seconds at
# most, or the Job fails and says what was answered.
cat >/tmp/requests.erl <<'ERLANG'
-module(requests).
-export([main/0]).

main() ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, _} = application:ensure_all_started(inets),
    {ok, Requests} = file:consult("/tmp/requests"),
    lists:foreach(fun(Request) -> ask(Request, erlang:monotonic_time(second)) end, Requests),
    halt(0).

ask({Method, Path, User, _, _, Statuses, Seconds} = Request, Begin) ->
    {Status, Answer} = send(Request),
    Late = erlang:monotonic_time(second) - Begin >= Seconds,
    case lists:member(Status, Statuses) of
        true -> ok;
        false when Late ->
            io:format(standard_error, "~s ~s as ~s is answered with ~p: ~ts~n", [Method, Path, User, Status, Answer]),
            halt(1);
        false -> timer:sleep(200), ask(Request, Begin)
    end.

send({Method, Path, User, PasswordFile, BodyFile, _, _}) ->
    {ok, Password} = file:read_file(PasswordFile),
    Login = base64:encode_to_string(iolist_to_binary([User, $:, string:trim(Password)])),
    Host = os:getenv("HOST"),
    URL = "https://" ++ Host ++ ":15671/api" ++ Path,
    Headers = [{"authorization", "Basic " ++ Login}],
    Request = case BodyFile of
        none -> {URL, Headers};
        _ -> {ok, Body} = file:read_file(BodyFile), {URL, Headers, "application/json", Body}
    end,
    Tls = [{verify, verify_peer}, {cacertfile, "/tls/ca.crt"}, {server_name_indication, Host}],
    case httpc:request(Method, Request, [{ssl, Tls}, {timeout, 10000}], []) of
        {ok, {{_, Status, _}, _, Answer}} -> {Status, Answer};
        {error, Reason} -> {0, io_lib:format("~0p", [Reason])}
    end.
ERLANG

requests() {
  cat >/tmp/requests
  (cd /tmp && erlc requests.erl) || fail "the Job's program cannot be compiled"
  erl -noinput +S 1:1 -pa /tmp -s requests main
}
