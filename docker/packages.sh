#!/bin/sh
# Prints the Debian packages of the groups of docker/packages.txt, one a line; with PINS=SUITE as apt's `name=version`
# wherever rbridge/pins.toml pins one for that suite.
#   usage: [PINS=trixie] docker/packages.sh GROUP...
set -eu
here=$(dirname "$0")
awk -v groups=" $* " -v suite="${PINS:-}" '
  { sub(/#.*/, ""); gsub(/[" ]/, "") }
  /^\[.*\]$/ { section = substr($0, 2, length($0) - 2); next }
  $0 == "" { next }
  FILENAME ~ /pins/ { if (section == suite) { at = index($0, "="); pin[substr($0, 1, at - 1)] = substr($0, at + 1) }; next }
  index(groups, " " section " ") { print ($0 in pin) ? $0 "=" pin[$0] : $0 }
' "$here/../rbridge/pins.toml" "$here/packages.txt"
