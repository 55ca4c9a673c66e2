#!/bin/sh
# Turns apt to Debian's archive of one day, so that every package has the version that it had then.
#   usage: docker/snapshot.sh DAY|URL|"" [SOURCES]       DAY: 20261101T000000Z, at the archive that Debian's image names
#          in a comment above each of its sources; URL: …/debian/DAY of another one, its security beside it. "": nothing.
set -eu
day=${1-}
sources=${2:-/etc/apt/sources.list.d/debian.sources}
[ -n "$day" ] || exit 0
case $day in
  *://*/debian/*) url=${day%/debian/*} day=${day##*/debian/} ;;
  *://*) echo "snapshot.sh: $day has no /debian/DAY at its end" >&2; exit 2 ;;
  *) url= ;;
esac
[ -f "$sources" ] || { echo "snapshot.sh: this base image has no $sources" >&2; exit 2; }
awk -v day="${day%/}" -v url="$url" '
  /^# [a-z]+:\/\/.*\/[0-9]+T[0-9]+Z$/ { sub(/[0-9]+T[0-9]+Z$/, day, $2); archive = $2; next }
  /^URIs:/ {
    if (url) { n = split($2, part, "/"); while (part[n] == "") n--; archive = url "/" part[n] "/" day }
    if (!archive) { print "snapshot.sh: no archive is named above " $0 > "/dev/stderr"; exit 2 }
    print "URIs: " archive; archive = ""; next
  }
  /^$/ { print "Check-Valid-Until: no"; print; next }
  { print }
  END { print "Check-Valid-Until: no" }
' "$sources" > "$sources.new"
mv "$sources.new" "$sources"
