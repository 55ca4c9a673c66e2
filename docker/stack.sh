#!/usr/bin/env bash
# Sets up a whole stack and runs the tests on it.
#   usage: docker/stack.sh bookworm|trixie|forky|newest [PYTEST_ARGUMENT...]      by default all tests
# bookworm: Debian 12, the oldest supported · trixie: Debian 13, as in the image · forky: the next ·
# newest: Debian sid with experimental's pandas. README lists what each holds. Exit 3: no builder here, or no base image.
set -euo pipefail
cd "$(dirname "$0")/.."
stack=${1:?bookworm, trixie, forky or newest}
shift
case $stack in
  bookworm | trixie | forky) suite=$stack ;;
  newest) suite=sid ;;
  *) echo "docker/stack.sh: bookworm, trixie, forky or newest, not $stack" >&2; exit 2 ;;
esac
export DEBIAN_SUITE=$suite STACK=$stack
docker/image.sh build stack
docker/image.sh run stack "$@"
