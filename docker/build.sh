#!/usr/bin/env bash
# build.sh - builds the images of the family, all from one compilation, and shows their sizes.
#
#   docker/build.sh [--tag TAG] [--jobs N] [--no-cache] [TARGET...]
#
#   TARGET  mini full relay echo broker provider provider-node; all of them without one
#   --tag   strowger:TARGET and strowger:TARGET-TAG are made; default: git's description of the source.
#           strowger:latest is full.
#   --jobs  compilers at once (default: the processors)
#
# Uses the Docker engine that answers; where none does, one of its own for the duration (as root;
# tools/with-docker-engine), whose images stay in /var/tmp/docker-engine.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=$(git describe --always --dirty 2>/dev/null || echo unknown) jobs=$(nproc) options=() targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --tag) tag=$2; shift 2 ;;
        --jobs) jobs=$2; shift 2 ;;
        --no-cache) options+=(--no-cache); shift ;;
        -h|--help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        -*) echo "build.sh: unknown option $1; --help tells them" >&2; exit 2 ;;
        *) targets+=("$1"); shift ;;
    esac
done
[ ${#targets[@]} -gt 0 ] || targets=(mini full relay echo broker provider provider-node)

if ! timeout 10 docker info >/dev/null 2>&1; then
    tools/install-packages image-engine
    exec tools/with-docker-engine "$0" --tag "$tag" --jobs "$jobs" "${options[@]}" "${targets[@]}"
fi
# A machine that reaches no registry makes Debian's base images from packages.
if ! docker image inspect debian:bookworm debian:bookworm-slim >/dev/null 2>&1 &&
   ! docker pull -q debian:bookworm >/dev/null 2>&1; then
    tools/make-base-images --engine docker
fi

# Clients from version 23 on need a plug-in for BuildKit; without it the classic builder does as well.
if [ "$(docker version -f '{{.Client.Version}}' | cut -d. -f1)" -ge 23 ] && ! docker buildx version >/dev/null 2>&1; then
    export DOCKER_BUILDKIT=0
fi
version=$(sed -n 's/^project(strowger VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
began=$SECONDS
for target in "${targets[@]}"; do
    from=$SECONDS
    log=$(mktemp)
    printf '%-14s' "$target"
    if ! DOCKER_BUILDKIT=${DOCKER_BUILDKIT-1} docker build -f docker/Dockerfile --target "$target" \
        --build-arg JOBS="$jobs" --build-arg VERSION="$version" --build-arg REVISION="$tag" \
        -t "strowger:$target" -t "strowger:$target-$tag" "${options[@]}" . >"$log" 2>&1; then
        echo "failed:"; tail -n 40 "$log" >&2; exit 1
    fi
    rm -f "$log"
    echo "built in $((SECONDS - from)) s"
done
case " ${targets[*]} " in *' full '*) docker tag strowger:full strowger:latest ;; esac

printf '\n%-22s %10s\n' image size
for target in "${targets[@]}"; do
    printf '%-22s %7.1f MB\n' "strowger:$target" \
        "$(docker image inspect -f '{{.Size}}' "strowger:$target" | awk '{ print $1 / 1e6 }')"
done
echo "all in $((SECONDS - began)) s"
