# Debian keeps the server's programs out of PATH, in a folder per version; the last one wins.
for folder in /usr/lib/postgresql/*/bin /usr/libexec/postgresql*; do
  if [ -x "$folder/postgres" ]; then PATH=$folder:$PATH; fi
done
