#!/bin/sh
# Inside an image build: a base without Python 3.11 or newer, or without its venv module, gets both from apt.
set -eu
usable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
if ! python3 -c "$usable" 2>/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
    python3 -c "$usable"
fi
