# Exit 0 when the server takes logins: not while it makes its data folder, recovers or stops.
set -eu
. /chart/path.sh
exec pg_isready -h /run/postgresql -U postgres -d postgres
