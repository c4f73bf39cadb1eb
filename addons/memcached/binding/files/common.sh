# Common to both Jobs, which write the server's list of users on its volume. Passwords go from files to files and to the client's
# standard input: never to arguments or the environment.
set -eu
umask 077

users=/data/users
# More than these the server leaves out without a word; one of them is the administrator.
most=8

fail() {
  echo "$1" >&2
  exit 1
}

[ -w "$users" ] || fail "the server's list of users cannot be written: check podSecurityContext and the claim"

# Over TLS where the image has openssl; else without, which bash can do.
if command -v openssl >/dev/null; then
  client() {
    { cat && sleep 0.5; } | timeout 10 openssl s_client -quiet -no_ign_eof -verify_return_error -CAfile /tls/ca.crt \
      -verify_hostname "$HOST" -connect "$HOST:11212" 2>/tmp/tls
  }
elif [ "$PORT" = 11211 ] && command -v bash >/dev/null; then
  client() { bash -c 'exec 3<>"/dev/tcp/$HOST/$PORT" && cat >&3 && IFS= read -r -t 5 line <&3 && echo "$line"'; }
else
  fail "the image has no openssl, which a login over TLS needs: choose another, or set tls.required to false"
fi

# login USER PASSWORD_FILE: what the server answers: STORED, or CLIENT_ERROR authentication failure.
login() {
  words="$1 $(cat "$2")"
  printf 'set auth 0 0 %d\r\n%s\r\n' "${#words}" "$words" | client 2>&1 | tr -d '\r'
}

# await_login USER PASSWORD_FILE ANSWER: until the server has read the list.
await_login() {
  deadline=$(($(date +%s) + 45))
  until answer=$(login "$1" "$2") && [ "$answer" = "$3" ]; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "the login of $1 at $HOST is not answered with $3 in 45 s: $answer"
    sleep 0.2
  done
}

# Jobs of other bindings may be at work.
exec 9>/data/lock
flock -w 60 9 || fail "another Job has been writing the list of users for 60 s"
