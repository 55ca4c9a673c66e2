#!/bin/sh
# Takes some packages from Debian's experimental, which stands beside sid at the archive that apt uses here.
#   usage: docker/experimental.sh PACKAGE...
set -eu
archive=$(apt-get indextargets --format '$(SITE)' | grep '/debian/*$' | sort -u | head -n 1)
echo "deb $archive experimental main" > /etc/apt/sources.list.d/experimental.list
apt-get update -qq
log=$(mktemp)
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -t experimental "$@" > "$log" 2>&1 ||
  { cat "$log" >&2; exit 1; }
rm "$log"
