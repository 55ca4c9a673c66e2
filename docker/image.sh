#!/usr/bin/env bash
# Builds and runs docker/Dockerfile with what is here: docker (where a daemon answers), podman or buildah.
#   usage: docker/image.sh build [runtime|test]        docker/image.sh run [runtime|test] [ARGUMENT...]
#   DEBIAN_SUITE=trixie  EXTRAS=""  RUN_OPTIONS=""      more options for `run`, such as "-v $PWD:/data"
# Exit 3: no builder, or no base image to be had.
set -euo pipefail
cd "$(dirname "$0")/.."
command=${1:?build or run}
target=${2:-runtime}
suite=${DEBIAN_SUITE:-trixie}
tag=localhost/rbridge:$suite-$target
stand_in=../shared/tools/base-image.sh       # makes a base image where no registry can be reached
say() { printf 'rbridge: %s\n' "$*" >&2; }

if docker info >/dev/null 2>&1 && [ -n "$(docker info --format '{{.ServerVersion}}' 2>/dev/null)" ]; then tool=docker
elif command -v podman >/dev/null; then tool=podman
elif command -v buildah >/dev/null || [ -x "$stand_in" ]; then tool=buildah
else say "no docker daemon, podman or buildah here"; exit 3
fi
[ "$tool" = buildah ] && [ -x "$stand_in" ] && eval "$("$stand_in" "$suite" | grep '^export ')"

pins() { PINS=$suite docker/packages.sh runtime | grep =; sed -n 's/^\(lmeInfo\) = "\(.*\)"/\1=\2/p' rbridge/pins.toml; }

build() {
  local options=(--file docker/Dockerfile --target "$target" --build-arg "DEBIAN_SUITE=$suite" --build-arg "EXTRAS=${EXTRAS:-}" --tag "$tag")
  local certificates=/usr/local/share/ca-certificates pin
  for pin in $(set -f; pins); do options+=(--label "rbridge.pin.$pin"); done
  case $tool in
    docker) docker build "${options[@]}" . ;;
    *) [ -x "$stand_in" ] && [ "$tool" = buildah ] && options+=(--pull-never)
       [ -d "$certificates" ] && options+=(--volume "$certificates:$certificates:ro")
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
