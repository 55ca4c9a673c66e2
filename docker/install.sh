#!/bin/sh
# Installs Debian packages without a word (the log is shown where it fails) and leaves nothing of the moment behind:
# no lists, logs or caches, and no file that runs as its owner (setuid, setgid).
#   usage: docker/install.sh PACKAGE[=VERSION]...
set -eu
log=$(mktemp)
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
rm -rf "$log" /var/lib/apt/lists/* /var/log/apt /var/log/*.log /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache \
  /var/cache/debconf/*-old /var/cache/fontconfig /var/lib/dpkg/*-old /etc/*-
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
