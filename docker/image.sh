#!/usr/bin/env bash
# Builds and runs docker/Dockerfile with what is here: docker (where a daemon answers), podman or buildah.
#   usage: docker/image.sh build [runtime|test|stack]        docker/image.sh run [runtime|test|stack] [ARGUMENT...]
#   DEBIAN_SUITE=trixie  EXTRAS=""  BASE=debian:trixie-slim  SNAPSHOT=""  SOURCE_DATE_EPOCH=   docker/Dockerfile says what each is
#   BUILD_OPTIONS=""  RUN_OPTIONS=""                     more options, such as "-v $PWD:/data" for `run`
# Exit 3: no builder, or no base image to be had.
set -euo pipefail
cd "$(dirname "$0")/.."
command=${1:?build or run}
target=${2:-runtime}
suite=${DEBIAN_SUITE:-trixie}
base=${BASE:-debian:$suite-slim}
tag=localhost/rbridge:$suite-$target            # and `rbridge` for the image itself
stand_in=../shared/tools/base-image.sh       # makes a base image where no registry can be reached
say() { printf 'rbridge: %s\n' "$*" >&2; }

if docker info >/dev/null 2>&1 && [ -n "$(docker info --format '{{.ServerVersion}}' 2>/dev/null)" ]; then tool=docker
elif command -v podman >/dev/null; then tool=podman
elif command -v buildah >/dev/null || [ -x "$stand_in" ]; then tool=buildah
else say "no docker daemon, podman or buildah here"; exit 3
fi
[ "$tool" = buildah ] && [ -x "$stand_in" ] && eval "$("$stand_in" "$suite" | grep '^export ')"

pins() { PINS=$suite docker/packages.sh runtime | grep =; sed -n 's/^\(lmeInfo\) = "\(.*\)"/\1=\2/p' rbridge/pins.toml; }

# The moment of the last commit: two builds of one commit differ in nothing that a clock wrote.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}

digest() {   # of the base image, where the builder knows it
  case $base in *@sha256:*) echo "${base#*@}"; return ;; esac
  case $tool in
    docker) docker image inspect --format '{{index .RepoDigests 0}}' "$base" ;;
    *) "$tool" inspect --type image --format '{{.FromImageDigest}}' "$base" ;;
  esac 2>/dev/null | sed 's/.*@//' || true
}

labels() {
  echo "VERSION=$(sed -n 's/^__version__ = "\([^"]*\)".*/\1/p' rbridge/__init__.py)"
  echo "REVISION=$(git rev-parse HEAD 2>/dev/null)$([ -z "$(git status --porcelain 2>/dev/null)" ] || echo -dirty)"
  echo "CREATED=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
  echo "SOURCE=$(git remote get-url origin 2>/dev/null | grep '^https:' || true)"
  echo "BASE_DIGEST=$(digest)"
}

arguments() {   # one NAME=VALUE a line
  echo "BASE=$base"
  if [ "$target" = stack ]; then echo "STACK=${STACK:-$suite}"; return; fi
  printf '%s\n' "DEBIAN_SUITE=$suite" "EXTRAS=${EXTRAS:-}" "SNAPSHOT=${SNAPSHOT:-}" "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH"
  [ "$target" != runtime ] || labels
}

build() {
  local file=docker/Dockerfile certificates=/usr/local/share/ca-certificates pin argument
  [ "$target" != stack ] || file=docker/stack.Dockerfile
  local options=(--file "$file" --target "$target" --tag "$tag" ${BUILD_OPTIONS:-})
  while read -r argument; do options+=(--build-arg "$argument"); done < <(arguments)
  if [ "$target" = runtime ]; then
    [ "$suite" != trixie ] || options+=(--tag rbridge)
    for pin in $(set -f; pins); do options+=(--label "rbridge.pin.$pin"); done
  fi
  case $tool in
    docker) docker build "${options[@]}" . ;;
    *) [ -x "$stand_in" ] && [ "$tool" = buildah ] && options+=(--pull-never)
       [ -d "$certificates" ] && options+=(--volume "$certificates:$certificates:ro")
       # Files of another moment than Python compiled them at are compiled anew: a stack, which has no moment, keeps its own.
       [ "$target" = stack ] || options+=(--timestamp "$SOURCE_DATE_EPOCH")
       "$tool" build --layers "${options[@]}" . ;;
  esac
}

run() {
  shift $(($# < 2 ? $# : 2))
  if [ "$tool" != buildah ]; then exec "$tool" run --rm ${RUN_OPTIONS:-} "$tag" "$@"; fi
  container=$(buildah from --pull-never "$tag")
  trap 'buildah rm "$container" >/dev/null' EXIT
  local entry                      # buildah's run knows no entry point
  mapfile -t entry < <(buildah inspect --format '{{range .OCIv1.Config.Entrypoint}}{{println .}}{{end}}' "$container" | sed '/^$/d')
  buildah run ${RUN_OPTIONS:-} "$container" -- "${entry[@]}" "$@"
}

say "$command $tag with $tool"
case $command in
  build) build ;;
  run) run "$@" ;;
  *) say "build or run, not $command"; exit 2 ;;
esac
