# A whole stack to test on: what a Debian release has, nothing pinned, set up as on a fresh machine (docker/stack.sh).
#   --build-arg BASE=debian:forky-slim      --build-arg STACK=newest: Debian sid, with pandas from experimental
#   --target packages     Debian's packages alone (the devcontainer)
ARG BASE=debian:trixie-slim
FROM ${BASE} AS packages
ARG STACK=trixie
ARG DEBIAN_FRONTEND=noninteractive
COPY docker/packages.sh docker/packages.txt docker/install.sh docker/experimental.sh /tmp/docker/
COPY rbridge/pins.toml /tmp/rbridge/
# Where a release has pyarrow, the reader of Arrow's stream is tried against it.
RUN sh /tmp/docker/install.sh make git ca-certificates $(sh /tmp/docker/packages.sh runtime build setup plot parallel test lint) \
 && { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-pyarrow >/dev/null 2>&1 || true; } \
 && { [ "$STACK" != newest ] || sh /tmp/docker/experimental.sh python3-pandas python3-pandas-lib; }
ENV LANG=C.UTF-8

FROM packages AS stack
COPY . /src
WORKDIR /src
RUN make setup
ENV RBRIDGE_REQUIRE_R=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT [".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "-n", "auto", "--dist", "loadfile"]
