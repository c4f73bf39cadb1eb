# Starts Prometheus' exporter at port $1. Runs in any image with it (sh, not bash; upstream's or Debian's).
set -eu

program=$(command -v postgres_exporter || command -v prometheus-postgres-exporter) || {
  echo "cannot start: the image has no postgres_exporter on PATH: see metrics.image.repository" >&2
  exit 1
}

# Not "app", whose owner may set what everybody's sessions there begin with.
export DATA_SOURCE_URI="127.0.0.1:5432/postgres?sslmode=verify-full&sslrootcert=/tls/ca.crt"
export DATA_SOURCE_USER=exporter DATA_SOURCE_PASS_FILE=/exporter/password
exec "$program" --web.listen-address=":$1"
