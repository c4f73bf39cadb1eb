# Starts Prometheus' exporter at port $1. Runs in any image with it (sh, not bash; upstream's or Debian's).
set -eu
umask 077

# Upstream's image has it in the root folder.
PATH=$PATH:/
program=$(command -v redis_exporter || command -v prometheus-redis-exporter) || {
  echo "cannot start: the image has no redis_exporter on PATH: see metrics.image.repository" >&2
  exit 1
}

server=127.0.0.1:6380
# Later versions look for the password with the name of the user, earlier ones without it.
password=$(cat /exporter/password)
printf '{"rediss://exporter@%s": "%s", "rediss://%s": "%s"}' "$server" "$password" "$server" "$password" >/tmp/passwords.json
# It may not read the configuration: "-" leaves that out.
exec "$program" --redis.addr="rediss://$server" --redis.user=exporter --redis.password-file=/tmp/passwords.json \
  --tls-ca-cert-file=/tls/ca.crt --config-command=- --set-client-name=false --web.listen-address=":$1"
