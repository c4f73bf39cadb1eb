# Starts Memcached with the settings in "$@". Runs in any image with the program, built with TLS (sh, not bash; Debian or Alpine).
set -eu
umask 077

fail() {
  echo "cannot start: $1" >&2
  exit 1
}

users=/data/users

command -v memcached >/dev/null || fail "the image has no memcached on PATH: see image.repository"
[ -r /admin/password ] || fail "the admin password cannot be read: check the instance's Secret and podSecurityContext"

# The users of bindings are on the volume, where the Jobs write them. There is always one user, without whom the server would not
# start: the administrator, whose password is that of the Secret.
if [ -e "$users" ]; then grep -v '^admin:' "$users" >"$users.new" || true; else : >"$users.new"; fi
echo "admin:$(cat /admin/password)" >>"$users.new"
mv "$users.new" "$users"

# The server reads its users again when it is told to.
(
  known=$(cksum <"$users")
  while sleep 0.5; do
    found=$(cksum <"$users")
    if [ "$found" != "$known" ]; then
      kill -HUP 1
      known=$found
    fi
  done
) &

exec memcached --auth-file="$users" --enable-ssl --extended=ssl_chain_cert=/tls/tls.crt,ssl_key=/tls/tls.key "$@"
