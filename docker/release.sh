#!/usr/bin/env bash
# Makes a release: version, changelog, tag, wheel and sdist, image. Nothing leaves this machine.
#   usage: docker/release.sh VERSION [--no-image]        git push --follow-tags and the uploads are named at the end
# Only from a clean work tree; a version that is tagged already is refused.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?the version, such as 0.2.0}
say() { printf 'rbridge: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(rc[0-9]+)?$ ]] || stop "$version is no version (1.2.3, 1.2.3rc1)"
[ -z "$(git status --porcelain)" ] || stop "the work tree has changes: commit them first"
! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || stop "v$version is tagged already"
[ "$(sed -n '/^## Unreleased/,/^## [0-9]/p' CHANGELOG.md | grep -c '^- ')" -gt 0 ] || stop "CHANGELOG.md has nothing under Unreleased"

sed -i "s/^__version__ = \"[^\"]*\"/__version__ = \"$version\"/" rbridge/__init__.py
sed -i "s/^version: .*/version: $version/" CITATION.cff
sed -i "s/^ARG VERSION=.*/ARG VERSION=\"$version\"/" docker/Dockerfile
sed -i "s/^## Unreleased\$/## Unreleased\n\n## $version ($(date -u +%Y-%m-%d))/" CHANGELOG.md
git commit --quiet --all --message "Release $version"
notes=$(mktemp); trap 'rm -f "$notes"' EXIT
{ printf 'rbridge %s\n\n' "$version"; sed -n "/^## $version /,/^## /p" CHANGELOG.md | sed '1d;/^## /d'; } > "$notes"
git tag --annotate --cleanup=verbatim --file "$notes" "v$version"

RBRIDGE_PORTABLE=1 docker/package.sh dist
cp "$notes" "dist/notes-$version.md"
[ "${2:-}" = --no-image ] || docker/image.sh build
say "v$version is tagged here, in dist/ are: $(ls dist | xargs)"
say "next:  git push --follow-tags      (.github/workflows/publish.yml then builds, signs and pushes the image)"
say "       python -m twine upload dist/rbridge-$version*"
