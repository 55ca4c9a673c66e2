#!/usr/bin/env bash
# Makes .venv ready: Debian's packages (docker/packages.txt), the package itself, lmeInfo. A second run does nothing.
#   usage: docker/setup.sh [--quick]      --quick: do not try CRAN again where it was out of reach (make demo, make test)
#
# 1. Debian's packages: only those that are missing, as root or with sudo.
# 2. .venv over Debian's own Python (never the `python3` that stands first on PATH). Where that one is absent, too old,
#    or lacks something, .venv gets everything from the Python index instead; setup.py asks for the rpy2 that fits the R found.
# 3. lmeInfo, the pinned version: as R finds it, else into .venv/lib/R; R's own libraries are never changed.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'rbridge: %s\n' "$*" >&2; }
stamp=.venv/setup-stamp
python=${RBRIDGE_PYTHON:-/usr/bin/python3}

inputs() {
  cat pyproject.toml setup.py docker/packages.txt docker/setup.sh rbridge/pins.toml r_scripts/install_packages.R
  echo "$PWD $python"; readlink -f "$python" || true
  cat "$(R RHOME 2>/dev/null)/library/base/DESCRIPTION" 2>/dev/null || true
}
is_ready() { [ -x .venv/bin/rbridge ] && [ "$(head -n 1 "$stamp" 2>/dev/null)" = "$(inputs | cksum)" ]; }
lacks_lmeinfo() { grep -qsx 'lmeInfo is missing' "$stamp"; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi; }

by_hand=                  # what root has to run where we may not
debian_packages() {
  command -v apt-get >/dev/null || return 0
  local wanted missing may=1
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || may=
  wanted=$(docker/packages.sh runtime build setup plot parallel test ${may:+lint})     # of somebody else is asked no more than the tests need
  if [ -x "$python" ] && ! new_enough "$python"; then wanted="r-base-dev r-cran-nlme"; fi
  missing=$(comm -23 <(printf '%s\n' $wanted | sort -u) <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort) | xargs)
  [ -n "$missing" ] || return 0
  by_hand="apt-get update && apt-get install -y --no-install-recommends $missing"
  [ "$may" ] || return 0
  say "installing Debian's packages: $missing"
  { as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >/dev/null || return 0
  by_hand=
}

lacking() {   # lacking WHAT: stops with the one command that installs it, where Debian has it; else does nothing
  [ -n "$by_hand" ] || return 0
  local why="installing it takes root" how="su -c '$by_hand'"
  if command -v sudo >/dev/null; then why="sudo did not install it (above)" how="sudo sh -c '$by_hand'"; fi
  if [ "$(id -u)" = 0 ]; then why="apt-get did not install it (above)" how=$by_hand; fi
  say "$1 is missing, and $why. Run this once, then make again:"
  printf '\n    %s\n\n' "$how" >&2
  exit 1
}

r_and_nlme() {
  Rscript --no-init-file -e 'loadNamespace("nlme")' >/dev/null 2>&1 && return
  lacking "R with nlme"
  cat >&2 <<END
rbridge: R with nlme is needed and was not found. Install by hand, then run this again:
    Debian, Ubuntu   apt-get install r-base-core r-cran-nlme
    Fedora           dnf install R-core-devel R-nlme
    conda            conda install r-base r-nlme
    macOS            brew install r
R must be on PATH (Rscript --version). nlme comes with every full R.
END
  exit 1
}

can_install() { "$python" -c 'import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, ("pip", "setuptools", "wheel"))))'; }

venv_over_debian() {
  [ -x "$python" ] && new_enough "$python" && can_install || return 1
  say "making .venv over $python"
  "$python" -m venv --system-site-packages --without-pip .venv >&2 &&
    .venv/bin/python -m pip install --quiet --no-index --no-build-isolation --no-deps --editable . >&2 || return 1
  ! .venv/bin/python -m pip check 2>/dev/null | grep '^rbridge ' >&2
}

venv_from_index() {
  local base told
  for base in "$python" python3 python3.13 python3.12 python3.11 python3.10 none; do new_enough "$base" && break; done
  [ "$base" != none ] || { lacking "Python 3.10 or newer"; say "Python 3.10 or newer is needed and was not found"; exit 1; }
  [ -x .venv/bin/pip ] || told=$("$base" -m venv --clear .venv 2>&1) ||
    { rm -rf .venv; lacking "pip or venv of Python"; say "$base makes no environment: $told"; exit 1; }
  say ".venv is $base's; packages come from the Python index"
  .venv/bin/python -m pip install --quiet --editable '.[plot,parallel,test,dev]' >&2 ||
    { rm -rf .venv
      lacking "What pip could not fetch from the Python index (above)"
      say "pip could not install what is missing (above)"
      exit 1; }
}

lmeinfo() {
  local status=0
  Rscript --no-init-file r_scripts/install_packages.R .venv/lib/R || status=$?
  case $status in
    0) ;;
    3) say "going on without: only lmeInfo's live answers are missing (recorded ones stand in). 'make setup' tries again."
       echo 'lmeInfo is missing' >> "$stamp.new" ;;
    *) exit "$status" ;;
  esac
  [ -d .venv/lib/R ] || return 0
  # Whatever Python of this environment starts R, R then looks into the environment's own library first.
  local site_packages
  site_packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo 'import os, sys; os.environ["R_LIBS"] = os.pathsep.join(dict.fromkeys([os.path.join(sys.prefix, "lib", "R")] + os.environ.get("R_LIBS", "").split(os.pathsep))).rstrip(os.pathsep)' \
    > "$site_packages/rbridge-r-library.pth"
}

if is_ready && { [ "${1:-}" = --quick ] || ! lacks_lmeinfo; }; then
  [ "${1:-}" = --quick ] || say "everything is there"
  exit 0
fi
[ -w . ] || { say "$PWD cannot be written, and .venv goes there. Copy the folder to where you may write, and make there"; exit 1; }
# Making a venv would empty what the link leads to, somebody else's environment.
if [ -L .venv ]; then say ".venv is a link to $(readlink -f .venv): left as it is (make setup there)"; exit 0; fi
debian_packages
r_and_nlme
if grep -qs '^include-system-site-packages = false' .venv/pyvenv.cfg || ! venv_over_debian; then venv_from_index; fi
inputs | cksum > "$stamp.new"
lmeinfo
mv "$stamp.new" "$stamp"
[ -z "$by_hand" ] || say "not installed, since that takes root, and not needed for the demo: ${by_hand##*recommends }"
say "ready: .venv/bin/rbridge"
