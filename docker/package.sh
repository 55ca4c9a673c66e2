#!/usr/bin/env bash
# Builds the sdist and the wheel, installs each into an empty environment and runs the demo from there.
#   usage: docker/package.sh [FOLDER]       the two files are left in FOLDER (dist)
# RBRIDGE_PORTABLE=1: as released, for any machine (setup.py). The environments have Debian's numpy and so on: no index is
# asked. Where rpy2 is Debian's, a note in the environment stands for the index's rpy2-rinterface if the files ask for it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${1:-dist}")
python=${RBRIDGE_PYTHON:-/usr/bin/python3}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y pyproject.toml)}
export TZ=UTC
say() { printf 'rbridge: %s\n' "$*" >&2; }

build() {   # a clean copy of the sources, so that nothing is left behind here and nothing stray is packed
  mkdir "$work/src"
  tar -c --exclude='__pycache__' --exclude='*.egg-info' pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md LICENSE \
    CITATION.cff environment.yml pixi.toml rbridge | tar -x -C "$work/src"
  find "$work/src" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
  mkdir -p "$target" && rm -f "$target"/rbridge-*
  local what
  for what in sdist wheel; do      # each in a process of its own: setuptools keeps what it saw
    (cd "$work/src" && "$python" -c "import sys; from setuptools import build_meta as b; b.build_$what(sys.argv[1])" "$target") \
      > "$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
  done
  # The same bytes from the same commit: setuptools leaves the sdist its moment and its owner.
  local sdist folder
  sdist=$(echo "$target"/rbridge-*.tar.gz) folder=$(basename "$sdist" .tar.gz)
  tar -xzf "$sdist" -C "$work"
  tar -c --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX -C "$work" "$folder" |
    gzip -n > "$sdist.new"
  mv "$sdist.new" "$sdist"
}

names() { "$python" -c '
import sys, tarfile, zipfile
path = sys.argv[1]
names = zipfile.ZipFile(path).namelist() if path.endswith(".whl") else tarfile.open(path).getnames()
print(*sorted(n[n.index("rbridge/"):] for n in names if "rbridge/" in n and "." in n.rsplit("/", 1)[-1]), sep="\n")' "$1"; }

try() {   # try FILE: installed, checked by pip and by us, run from an empty folder
  local env=$work/env-$(basename "$1") site version
  "$python" -m venv --system-site-packages --without-pip "$env"
  "$env/bin/python" -m pip install --quiet --no-index --no-build-isolation --no-deps "$1"
  site=$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  if grep -q '^Requires-Dist: rpy2-rinterface' "$site"/rbridge-*.dist-info/METADATA &&
     ! "$env/bin/python" -c 'from importlib.metadata import version; version("rpy2-rinterface")' 2>/dev/null; then
    mkdir "$site/rpy2_rinterface-3.6.5.dist-info"
    printf 'Metadata-Version: 2.1\nName: rpy2-rinterface\nVersion: 3.6.5\n' > "$site/rpy2_rinterface-3.6.5.dist-info/METADATA"
  fi
  ! "$env/bin/python" -m pip check 2>/dev/null | grep '^rbridge ' >&2
  mkdir "$env/empty" && cd "$env/empty"
  version=$("$env/bin/rbridge" --version)
  "$env/bin/rbridge" doctor > "$work/doctor.txt" || true      # 2 where lmeInfo is missing
  grep -q '✓ rpy2 ' "$work/doctor.txt" || { cat "$work/doctor.txt" >&2; exit 1; }
  "$env/bin/rbridge" demo > "$work/demo.txt"
  grep -q . "$work/demo.txt"
  "$env/bin/python" -c 'import rbridge, sys; sys.exit(not rbridge.__file__.startswith(sys.prefix))'
  cd - >/dev/null
  say "$(basename "$1"): installed, $version, demo runs ($(wc -l < "$work/demo.txt") lines)"
}

build
sdist=$(echo "$target"/rbridge-*.tar.gz) wheel=$(echo "$target"/rbridge-*.whl)
diff <(names "$sdist") <(names "$wheel") >&2 || { say "the sdist and the wheel hold different files of the package"; exit 1; }
try "$sdist"
try "$wheel"
