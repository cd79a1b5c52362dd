# What the conformance suites share: a plain directory on a disk, mounted, and everything put away again whatever happens. Source it.

# Arguments are relative to where the caller is.
from=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# The absolute path of an argument; empty where there is no such file.
given() {
  (cd "$from" && realpath -e "$1" 2>/dev/null) || true
}

work=
daemon=
# The program under way.
child=

# A new directory on a disk, not in memory: `work`, with what is served in work/backing and the mount at work/mount.
prepare_work() {
  local parent=${TMPDIR:-/tmp}
  [ "$(stat -f -c %T "$parent")" != tmpfs ] || parent=/var/tmp
  work=$(mktemp -d "$parent/butlerfs-suite-XXXXXX")
  mkdir "$work/backing" "$work/mount"
  # Other users are asked to work in them.
  chmod 755 "$work"
  trap put_away EXIT
  trap 'exit 130' INT TERM
}

put_away() {
  local status=$?
  trap - EXIT
  set +e
  [ -z "$child" ] || kill "$child" 2>/dev/null
  local place
  # The deepest first; a place may be mounted on more than once.
  awk -v work="$work/" 'index($5, work) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r place; do umount -l "$place"; done 2>/dev/null
  [ -z "$daemon" ] || { wait_for_daemon 10 || kill -KILL "$daemon"; } 2>/dev/null
  rm -rf --one-file-system "$work"
  exit "$status"
}

# attend PROGRAM ARGUMENT... : runs it so that a signal to this script is heard at once.
attend() {
  local status=0
  "$@" &
  child=$!
  wait "$child" || status=$?
  child=
  return "$status"
}

require_root() {
  [ "$(id -u)" -eq 0 ] || fail 'root is needed: the suites change users, and look in from several'
}

require_built() {
  [ -e "$project/dist/scripts/directory/main.js" ] || fail 'butlerfs is not built: npm ci && npm run build'
}

# mount_backing OPTION... : mounts work/backing at work/mount, with the options of scripts/mount-directory; sets `daemon`. What goes wrong while it is served
# is in work/log.
mount_backing() {
  "$project/scripts/mount-directory" --foreground --allow-other "$@" "$work/backing" "$work/mount" >>"$work/log" 2>&1 &
  daemon=$!
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    ! mountpoint -q "$work/mount" || return 0
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.05
  done
  fail "the directory cannot be mounted: $(cat "$work/log")"
}

wait_for_daemon() {
  local tries
  for ((tries = 0; tries < $1 * 20; tries++)); do
    kill -0 "$daemon" 2>/dev/null || return 0
    sleep 0.05
  done
  return 1
}

# Unmounts, and fails where the daemon does not end or has something to complain of.
unmount_backing() {
  kill -0 "$daemon" 2>/dev/null || fail "the daemon has ended by itself: $(cat "$work/log")"
  umount "$work/mount" || fail 'the mount is in use after the suite'
  wait_for_daemon 30 || fail "the daemon does not end when it is unmounted; its threads wait in: $(for thread in /proc/"$daemon"/task/*/wchan; do cat "$thread"; echo; done)"
  daemon=
  require_silence
}

# Fails where the daemon has written to its log.
require_silence() {
  [ ! -s "$work/log" ] || fail "the daemon complains: $(head -5 "$work/log")"
}

# describe DIRECTORY: everything that is below it but contents, one line each, in one order: names, types, modes, owners, sizes, links, times, devices, link
# targets, inode numbers, extended attributes (access lists too).
describe() (
  cd "$1"
  find . -print0 | LC_ALL=C sort -z | xargs -0 -r stat --printf '%N %F %a %u:%g %s %h %y %t:%T %i\n'
  find . ! -type l -print0 | LC_ALL=C sort -z | xargs -0 -r getfattr --absolute-names -h -d -m - -e hex
)

# Fails where the mounted directory is not what is on the disk. `what` is said of it.
compare_with_backing() {
  describe "$work/mount" >"$work/mounted.txt"
  describe "$work/backing" >"$work/expected.txt"
  diff "$work/expected.txt" "$work/mounted.txt" >"$work/differences.txt" ||
    fail "the mounted directory differs from what is on the disk (<) after $1: $(head -20 "$work/differences.txt")"
  (cd "$work/backing" && find . -type f -print0 | xargs -0 -r -I{} -P 2 cmp -- {} "$work/mount/{}") >"$work/differences.txt" 2>&1 ||
    fail "contents on the mount differ from those on the disk after $1: $(head -20 "$work/differences.txt")"
  say "$(grep -c . "$work/expected.txt") lines of names and attributes, and the contents of all files, are the same on the mount and on the disk"
}

# Bytes of resident memory, and open descriptors, of the daemon.
daemon_memory() {
  echo $(($(awk '/^VmRSS:/ { print $2 }' "/proc/$daemon/status") * 1024))
}

daemon_descriptors() {
  find "/proc/$daemon/fd" -mindepth 1 2>/dev/null | wc -l
}
