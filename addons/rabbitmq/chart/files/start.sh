# Starts RabbitMQ with the settings in "$@", each a line of rabbitmq.conf. Runs in any image with its programs (sh, openssl).
set -eu
umask 077

run=/run/rabbitmq

fail() {
  echo "cannot start: $1" >&2
  exit 1
}

# Debian's program of this name on PATH insists on one user and on log files.
server=/usr/lib/rabbitmq/bin/rabbitmq-server
[ -x "$server" ] || server=$(command -v rabbitmq-server) || fail "the image has no rabbitmq-server: see image.repository"
[ -r /admin/password ] || fail "the admin password cannot be read: check the instance's Secret and podSecurityContext"

# Read at every start: the administrator's password is always that of the Secret. A salt, and the digest of salt and password.
salt=$(openssl rand -hex 2)
hash=$({ printf %s "$salt" && printf %s%s "$salt" "$(cat /admin/password)" | openssl dgst -sha256 -binary; } | base64)
sed "s|HASH|$hash|" /chart/definitions.json >"$run/definitions.json"
{ cat /chart/rabbitmq.conf && printf '%s\n' "$@"; } >"$run/rabbitmq.conf"

# One node that never has another: its name does not change with the pod's, and its own protocol stays in the pod.
export HOME="$run" RABBITMQ_NODENAME=rabbit@localhost ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
export RABBITMQ_MNESIA_BASE=/data/mnesia RABBITMQ_LOGS=- RABBITMQ_CONFIG_FILE="$run/rabbitmq.conf"
export RABBITMQ_GENERATED_CONFIG_DIR="$run/config" RABBITMQ_SCHEMA_DIR="$run/schema"
export RABBITMQ_ENABLED_PLUGINS_FILE=/chart/enabled_plugins RABBITMQ_PID_FILE="$run/pid" RABBITMQ_LOG_BASE=/tmp
# A dump would have all that was in memory, passwords too.
export ERL_CRASH_DUMP=/dev/null

exec "$server"
