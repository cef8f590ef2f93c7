#!/usr/bin/env bash
# test-image.sh - builds the images and tests them by running them as their users do.
#
#   docker/tests/test-image.sh [--no-build] [PYTEST OPTION...]
#
# Uses the Docker engine that answers, else one of its own for the duration. Where none can be had it
# says so and ends with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! timeout 10 docker info >/dev/null 2>&1; then
    [ "${STROWGER_ENGINE_TRIED-}" = "" ] || { echo "test-image.sh: the engine does not answer" >&2; exit 1; }
    skip() { echo "image tests skipped: $*"; exit 0; }
    [ "$(id -u)" = 0 ] || skip "no Docker engine answers, and only root can start one"
    tools/install-packages image-engine || skip "no Docker engine answers, and none can be installed"
    tools/with-docker-engine true >/dev/null 2>&1 || skip "no Docker engine answers, and none can be started here"
    export STROWGER_ENGINE_TRIED=1
    exec tools/with-docker-engine "$0" "$@"
fi
tools/install-packages test
if [ "${1-}" = --no-build ]; then shift; else docker/build.sh; fi
exec /usr/bin/python3 -m pytest -q -p no:cacheprovider -c /dev/null --rootdir . --reruns=1 -r fER docker/tests "$@"
