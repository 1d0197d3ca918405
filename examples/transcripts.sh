#!/bin/sh
# Prints the transcripts of status, explain and doctor that stand in the book. A test compares them.
#
# It runs in namespaces of its own, where every port is free and /srv is a temporary directory, and needs portkeeper, python3, ip and
# unshare. What differs from machine to machine is replaced: pids, times, and the user.
set -eu

if [ "${1-}" != inside ]; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  # Who may not make namespaces may make them as root of a user namespace of their own.
  user=$(unshare --net true 2>/dev/null || echo --map-root-user)
  # shellcheck disable=SC2086 # no option, or one
  unshare $user --net --mount --pid --fork --kill-child --mount-proc sh "$0" inside "$root" >"$root/out" 2>&1 || {
    cat "$root/out" >&2
    exit 1
  }
  pid() { sed -n "s/^# $1 //p" "$root/out"; }
  grep -v '^# ' "$root/out" | sed \
    -e 's/root (uid 0)/anna (uid 1000)/' \
    -e "s/(pid $(pid other))/(pid 4711)/; s/($(pid other))/(4711)/" \
    -e "s/(pid $(pid own))/(pid 4890)/; s/($(pid own))/(4890)/" \
    -e "s/($(pid parent))/(4700)/" \
    -e "s/process $(pid ended) has/process 4100 has/" \
    -e 's#\(command  *\)[^ ]*python3#\1python3#' \
    -e 's/\(running  *\).*/\1for 2h 14m/' \
    -e 's/, [0-9a-z ]* ago/, 2h 14m ago/' \
    -e 's/  [0-9]s  /  2h  /'
  exit
fi

mount --bind "$2" /srv
ip link set lo up
export HOME=/srv/anna LC_ALL=C
unset XDG_STATE_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_CONFIG_HOME
mkdir -p "$HOME/shop/.git" "$HOME/shop-2/.git"

# serve DIRECTORY PORT: starts a server there, from a shell of its own, and waits for it.
serve() {
  (cd "$1" && exec sh -c "python3 -m http.server $2 --bind 127.0.0.1 >/dev/null 2>&1; true") &
  portkeeper wait "$2" --occupied --timeout 60s
}
server_on() { portkeeper explain "$1" --json | sed 's/.*"process":{"pid":\([0-9]*\).*/\1/'; }
show() {
  echo "\$ $*"
  "$@" --format table || true
}

# What has happened before: two projects with a server each. The one of the other project listens where it should not.
(cd "$HOME/shop-2" && portkeeper port --write-env=WEB_PORT --range 4108-4120 >/dev/null)
serve "$HOME/shop-2" 8081
echo "# parent $!"
echo "# other $(server_on 8081)"
cd "$HOME/shop"
portkeeper port --write-env=WEB_PORT --range 4107-4120 >/dev/null
serve . 4107
echo "# own $(server_on 4107)"

show portkeeper status
show portkeeper explain 8081
show portkeeper explain 4108

portkeeper reserve --port 45678 --ttl 2h >/dev/null 2>&1
sleep 60 &
portkeeper reserve --port 5001 --for-pid $! >/dev/null
echo "# ended $!"
kill $!
wait $! 2>/dev/null || true
show portkeeper doctor
