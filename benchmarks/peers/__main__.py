"""`python -m benchmarks.peers check`: install, start and ask every peer once, compare the masks, print a table."""

import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.check import Finding, check


def main(arguments: list[str]) -> int:
    """0 when every peer asked for answered the service's mask."""
    parser = ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("command", choices=("check",))
    parser.add_argument(
        "names", nargs="*", metavar="PEER", help=f"all unless named: {', '.join(p.name for p in PEERS)}"
    )
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - {peer.name for peer in PEERS}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    peers = [peer for peer in PEERS if not given.names or peer.name in given.names]
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        findings = check(peers, Path(folder), console.print)
    Console(width=120).print(_table(findings))
    return int(any(finding.problem for finding in findings))


def _table(findings: list[Finding]) -> Table:
    table = Table("peer", "version", "ready in", "same pixels", "problem")
    for found in findings:
        ready, agreement = f"{found.ready_seconds:.1f} s", f"{found.agreement:.4%}"
        table.add_row(found.peer.title, found.peer.version, ready, agreement, found.problem)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
