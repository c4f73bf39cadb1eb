# Exit 0 when the server takes statements: not while it makes its data, recovers or stops.
set -eu
client=$(command -v mariadb || command -v mysql)
exec "$client" --defaults-file=/run/mariadb/client.cnf -e 'DO 1'
