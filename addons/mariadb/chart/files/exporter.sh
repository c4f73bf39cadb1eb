# Starts Prometheus' exporter at port $1. Runs in any image with it (sh, not bash; upstream's or Debian's).
set -eu
umask 077

program=$(command -v mysqld_exporter || command -v prometheus-mysqld-exporter) || {
  echo "cannot start: the image has no mysqld_exporter on PATH: see metrics.image.repository" >&2
  exit 1
}

printf '[client]\nuser=exporter\npassword=%s\nhost=127.0.0.1\nport=3306\nssl-ca=/tls/ca.crt\n' "$(cat /exporter/password)" >/tmp/client.cnf
exec "$program" --config.my-cnf=/tmp/client.cnf --web.listen-address=":$1"
