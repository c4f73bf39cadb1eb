# Gives the administrator the password in the file $1, whichever of those of the rotation the server takes, and proves that the
# others are refused. $2: the text by which that of the instance's Secret is known. Passwords go from files to files and to
# requests: never to arguments or the environment.
wanted=$1

# same FILE FILE: whether both hold the same.
same() { [ "$(cat "$1")" = "$(cat "$2")" ]; }

# others: the files with passwords that are not to be taken.
others() {
  for file in /admin/password /rotation/older /rotation/old /rotation/new; do
    if [ -r "$file" ] && ! same "$file" "$wanted"; then echo "$file"; fi
  done
}

# taken: the file of those with the password that the server takes now.
taken() {
  for file in $(others); do
    if [ "$(login "$file")" = taken ]; then
      echo "$file"
      return
    fi
  done
  return 1
}

if [ "$wanted" = /admin/password ]; then
  # Nothing was ever rotated.
  [ -r /rotation/new ] || exit 0
  [ "$(cat /admin/rotation)" = "$2" ] || fail "the node does not have the administrator's Secret as it is now: trying again"
  # What was rotated last is in force, and was undone by nobody.
  if same "$wanted" /rotation/new; then exit 0; fi
fi
[ -s "$wanted" ] || fail "there is no password in $wanted: check the instance's Secrets and podSecurityContext"

deadline=$(($(date +%s) + 45))
until answer=$(login "$wanted") && [ "$answer" = taken ]; do
  if [ "$answer" = refused ]; then
    now=$(taken) || fail "the server refuses every password that the administrator may have: set that of the Secret by hand, see the addon's README"
    change "$now" "$wanted"
  else
    [ "$(date +%s)" -lt "$deadline" ] || fail "no answer from the server at $HOST in 45 s: $answer"
    sleep 0.2
  fi
done

for file in $(others); do
  answer=$(login "$file")
  [ "$answer" = refused ] || fail "the administrator's other password is not refused: $answer"
done
