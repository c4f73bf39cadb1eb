# Starts Valkey or Redis with the settings in "$@". Runs in any image with the programs (sh, not bash; Debian or Alpine).
set -eu
umask 077
# The first process of a container ignores signals that it does not handle.
trap 'exit 143' INT TERM

users=/data/users.acl
probe=/run/redis/probe

server=$(command -v valkey-server || command -v redis-server) || {
  echo "cannot start: the image has neither valkey-server nor redis-server: see image.repository" >&2
  exit 1
}

# hashed FILE: of the password in it, as the list of users has it.
hashed() {
  hash=$(printf %s "$(cat "$1")" | sha256sum)
  echo "#${hash%% *}"
}

# Known in the pod alone. The administrator's would not do: the file of it is behind the server's for a minute after a rotation.
tr -dc 'a-zA-Z0-9' </dev/urandom | head -c 32 >"$probe"

# The users of bindings stay as the server saved them; those of the chart are written anew at every start, so that their
# passwords are always those of the Secret.
{
  echo "user default off resetpass resetkeys resetchannels -@all"
  echo "user admin on $(hashed /admin/password) ~* &* +@all"
  echo "user probe on $(hashed "$probe") resetchannels -@all +ping"
  if [ -r /exporter/password ]; then
    echo "user exporter on $(hashed /exporter/password) resetchannels -@all +info +latency|latest +latency|histogram +slowlog|len"
  fi
  if [ -e "$users" ]; then grep -Ev '^user (default|admin|probe|exporter) ' "$users" || true; fi
} >"$users.new"
mv "$users.new" "$users"

exec "$server" --dir /data --aclfile "$users" --appendonly yes --save '' --unixsocket /run/redis/redis.sock \
  --tls-port 6380 --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key --tls-ca-cert-file /tls/ca.crt \
  --tls-auth-clients no "$@"
