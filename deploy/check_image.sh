#!/usr/bin/env bash
# Builds the Dockerfile on a fresh Debian and runs the result, without a Docker engine: debootstrap makes the base,
# buildah builds, and the built root serves a real frame as the image's own user. Needs root and Debian's packages.
#   deploy/check_image.sh [FOLDER]    FOLDER keeps the base and the layers for the next time (default: nothing is kept)
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

base=localhost/endomask-base image=localhost/endomask suite=bookworm
port=${ENDOMASK_CHECK_PORT:-18000}
frame=examples/frame.jpg

fail() {
    echo "check_image: $*" >&2
    exit 1
}

buildah_here() {
    buildah --root "$folder/storage" --runroot "$folder/run" --storage-driver "${STORAGE_DRIVER:-overlay}" "$@"
}

install_tools() {
    command -v buildah >/dev/null && command -v debootstrap >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null
}

make_base() {
    buildah_here inspect --type image "$base" >/dev/null 2>&1 && return
    debootstrap --variant=minbase "$suite" "$folder/base" >"$folder/debootstrap.log"
    rm -rf "$folder"/base/var/cache/apt/archives/*.deb "$folder"/base/var/lib/apt/lists/*
    local container
    container=$(buildah_here from scratch)
    buildah_here add -q "$container" "$folder/base" / >/dev/null
    buildah_here commit -q --rm "$container" "$base" >/dev/null
    rm -rf "$folder/base"
}

# pip inside the build reaches the index as pip on this machine does; nothing of it stays in the image.
write_pip_conf() {
    local key value name
    echo "[global]"
    for key in index-url trusted-host proxy; do
        name=PIP_$(tr a-z- A-Z_ <<<"$key")
        value=${!name:-$(python3 -m pip config get "global.$key" 2>/dev/null || true)}
        [ -z "$value" ] || echo "$key = $value"
    done
    [ ! -f "$certificates" ] || echo "cert = /run/build-certificates.crt"
}

build() {
    certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
    write_pip_conf >"$folder/pip.conf"
    local volumes=(--volume "$folder/pip.conf:/etc/pip.conf:ro")
    [ ! -f "$certificates" ] || volumes+=(--volume "$certificates:/run/build-certificates.crt:ro")
    buildah_here build --isolation chroot --network host --format docker --layers \
        --build-arg "BASE_IMAGE=$base" --target service "${volumes[@]}" -t "$image" .
}

# As the engine would: the image's entry point, environment, folder and user.
serve() {
    buildah_here run --isolation chroot --network host --env ENDOMASK_HOST=127.0.0.1 --env "ENDOMASK_PORT=$port" \
        "$container" -- /opt/endomask/bin/python -m service serve >"$folder/serve.log" 2>&1 &
    server=$!
}

wait_until_ready() {
    local _
    for _ in $(seq 300); do
        curl -fs -o /dev/null "http://127.0.0.1:$port/readyz" && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 40 "$folder/serve.log" >&2
    fail "the service in the image did not become ready"
}

# buildah passes no signal on: the service itself is the first Python below it.
service_pid() {
    local pid=$server
    while pid=$(pgrep -P "$pid" | head -n 1) && [ -n "$pid" ]; do
        case $(cat "/proc/$pid/comm") in python*) echo "$pid" && return ;; esac
    done
}

# As the engine would: SIGTERM. Leaves the service's exit code in $ended.
stop() {
    local pid
    ended=0
    [ -n "${server:-}" ] || return 0
    pid=$(service_pid)
    [ -z "$pid" ] || kill -TERM "$pid"
    wait "$server" || ended=$?
    server=
}

clean_up() {
    stop
    [ -z "${container:-}" ] || buildah_here rm "$container" >/dev/null || true
    [ "$kept" = yes ] || rm -rf "$folder"
}

[ "$(id -u)" = 0 ] || fail "debootstrap and buildah's chroot need root"
install_tools
if [ -n "${1:-}" ]; then
    folder=$1 kept=yes
    mkdir -p "$folder"
else
    folder=$(mktemp -d) kept=no
fi
trap clean_up EXIT
make_base
build
container=$(buildah_here from "$image")
root=$(buildah_here mount "$container")
[ -z "$(find "$root/opt/endomask" -maxdepth 5 -iname 'torch*' -print -quit)" ] || fail "the image holds torch"
echo "image: $(du -smx "$root" | cut -f1) MB, of which packages $(du -sm "$root/opt/endomask" | cut -f1) MB"
serve
wait_until_ready
echo "user id of the service: $(stat -c %u "/proc/$(service_pid)")"
curl -fsS --data-binary "@$frame" -H 'Content-Type: image/jpeg' "http://127.0.0.1:$port/v1/segment?mask=none"
echo
stop
[ "$ended" = 0 ] || fail "the service ended with $ended after SIGTERM"
echo "the image builds, serves a frame and stops"
