"""Debian's nginx with the configuration that the cluster ships; only addresses and folders are the test's."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import ROOT, free_port

CONFIGURATION = ROOT / "deploy/cluster/nginx.conf"
_ADDRESS = "127.0.0.7"
"""From which the servers see it come: not their own, as on a machine or in a container of its own."""
_DEADLINE_S = 20
_TEMPORARY = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")


def program() -> str | None:
    """Debian keeps it off a user's path; None when it is not installed."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def configure(folder: Path, port: int, servers: Sequence[str]) -> str:
    """The shipped configuration, with `host:port` of running servers in place of Docker's name for them."""
    shipped = CONFIGURATION.read_text()
    members = "\n".join(f"        server {server} \\1;" for server in servers)
    text, named = re.subn(r" *server api:8000 resolve (.*);", members, shipped)
    assert named == 2, "every upstream names the servers"
    text, resolvers = re.subn(r" *resolver .*;\n", "", text)
    text, ports = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", text)
    text, pids = re.subn(r"pid .*;", f"pid {folder}/nginx.pid;", text)
    assert resolvers == ports == pids == 1
    folders = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in _TEMPORARY)
    own = f"    access_log {folder}/access.log;\n    proxy_bind {_ADDRESS};\n{folders}"
    return text.replace("http {\n", f"http {{\n{own}", 1)


@contextmanager
def running_nginx(folder: Path, servers: Sequence[str]) -> Iterator[str]:
    """Its address, `http://127.0.0.1:<port>`, until the context ends."""
    found = program()
    assert found is not None
    port = free_port()
    (folder / "nginx.conf").write_text(configure(folder, port, servers))
    command = [found, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        _wait_until_it_listens(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)


def _wait_until_it_listens(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert process.poll() is None, "nginx does not take the configuration"
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)
        else:
            return
