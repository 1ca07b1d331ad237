"""What judging a large estate costs: `preflight scan --from` and `drift --from` with reports, as it grows.

    python benchmarks/estates.py [--nodes 600 2400 10000] [--rounds 1] [--packed] [--keep FOLDER]

The evidence is made of the recordings in tests/recordings: their clusters again and again under other names, vaults
with two to eleven web nodes, and here and there a cluster of a hundred. Every run is a process of its own: its CPU time
and its greatest resident memory are what the system says of it once it has ended. A scan writes JSON, JUnit and a
folder of pages; a comparison writes JSON and JUnit. Linux and macOS.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spent import Spent, spent

from scanner.files.evidence.file import checksum
from tests.recordings.collect import FOLDER, evidence_path

TOP = Path(__file__).resolve().parent.parent
HEALTHY = ("secret-server-healthy", "chef-healthy", "chef-estate")
MOST_OF_A_VAULT = 12
UPDATED = "dotnet-framework"
BIG_EVERY, BIG = 97, 100
"""Every so many clusters, one of so many nodes."""


def estate(folder: Path, nodes: int, *, packed: bool = False) -> tuple[Path, Path]:
    """Write an inventory of so many nodes and evidence of all of them."""
    inventory, evidence = folder / "estate.toml", folder / f"estate.evidence.json{'.gz' if packed else ''}"
    with inventory.open("w", encoding="utf-8") as file:
        file.write('[defaults.winrm]\nuser = "CORP\\\\preflight"\npassword_env = "NONE"\n')
        file.write('[defaults.ssh]\nuser = "preflight"\nagent = true\n')
        file.writelines(_inventory(nodes))
    head = json.loads(evidence_path(HEALTHY[0]).read_text(encoding="utf-8"))
    head = {key: value for key, value in head.items() if key not in ("checksum", "nodes")}
    kept = [node for _, _, members in clusters(nodes) for node in members]
    content = {
        **head,
        "inventory": "estate.toml",
        "counts": {"nodes": len(kept), "answers": sum(len(node["answers"]) for node in kept)},
        "nodes": kept,
    }
    with gzip.open(evidence, "wt") if packed else evidence.open("w", encoding="ascii") as out:
        _dump({**content, "checksum": checksum(content)}, out)
    return inventory, evidence


def _dump(content: dict[str, Any], out: IO[str]) -> None:
    json.dump(content, out, indent=1)
    out.write("\n")


def clusters(nodes: int) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Name, inventory's keys and the nodes' evidence of one cluster after the other."""
    for name, keys, members in laid_out(nodes):
        yield name, keys, [renamed(node, name, place) for place, node in enumerate(members)]


def laid_out(nodes: int) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """The same with the evidence as it was recorded, under the names of its own; see `renamed`."""
    recorded = [_recording(name) for name in (*HEALTHY, "demo")]
    vault, chef, north, *demo = [each for one in recorded for each in one]
    made = number = 0
    while made < nodes:
        if number % 20 == 19:
            keys, members = demo[number // 20 % len(demo)]
        elif number % 3:
            keys, members = (chef, north)[number % 3 - 1]
        else:
            keys, members = vault
            web = BIG if number % BIG_EVERY == BIG_EVERY - 1 else 2 + number % (MOST_OF_A_VAULT - 2)
            members = [*(members[place % 3] for place in range(web)), members[3]]
        name = f"cluster-{number:05d}"
        kept = members[: nodes - made]
        yield name, keys, kept
        made, number = made + len(kept), number + 1


def _recording(name: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    tables = tomllib.loads((FOLDER / f"{name}.inventory.toml").read_text(encoding="utf-8"))["clusters"]
    nodes = json.loads(evidence_path(name).read_text(encoding="utf-8"))["nodes"]
    return [
        (
            {key: value for key, value in table.items() if isinstance(value, str)},
            [node for node in nodes if node["cluster"] == cluster],
        )
        for cluster, table in tables.items()
    ]


def name_of(node: dict[str, Any], place: int) -> str:
    """What the node is called at that place of a cluster."""
    return f"{node['node']}-{place}" if node["product"] == "secret-server" else str(node["node"])


def renamed(node: dict[str, Any], cluster: str, place: int) -> dict[str, Any]:
    """The node as one of another cluster; of a vault's many web nodes, each is a machine of its own."""
    name, other = node["node"], name_of(node, place)
    if name != other:
        text = json.dumps(node["answers"])
        node = {**node, "node": other, "answers": json.loads(text.replace(name.upper(), other.upper()))}
    return {**node, "cluster": cluster}


def _inventory(nodes: int) -> Iterator[str]:
    port = 20_000
    for name, keys, members in clusters(nodes):
        yield f"[clusters.{name}]\n"
        yield from (f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        for node in members:
            port += 1
            yield f"[clusters.{name}.nodes.{node['node']}]\nhost = {json.dumps(node['host'])}\nport = {port}\n"
            yield f"roles = {json.dumps(node['roles'])}\n"
            yield from (f"{key} = {json.dumps(value)}\n" for key, value in node["options"].items())


def run(folder: Path, *arguments: str, program: Sequence[str] = ("-m", "scanner")) -> Spent:
    """One command of preflight, in a process of its own."""
    with tempfile.TemporaryFile() as told:
        environment = {**os.environ, "PYTHONPATH": str(TOP)}
        took = spent([sys.executable, *program, *arguments], cwd=folder, env=environment, errors=told)
        if took.exit_code not in (0, 1, 3):
            told.seek(0)
            why = told.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(arguments)} ended with {took.exit_code}:\n{why}")
    return took


def measured(folder: Path, inventory: Path, evidence: Path) -> Iterator[tuple[str, Spent]]:
    """Each command once over the same evidence."""
    source = ("--from", evidence.name)
    reports = ("--json", "scan.json", "--junit", "scan.xml")
    (folder / "pages").mkdir(exist_ok=True)
    yield "scan", run(folder, "scan", inventory.name, *source, *reports, "--html", "pages/")
    approved = ("--by", "bench", "--reason", "bench", "--allow-incomplete")
    yield "baseline", run(folder, "baseline", inventory.name, *source, *approved)
    yield "update", run(folder, "baseline", inventory.name, *source, *approved, "--update", UPDATED)
    yield "drift", run(folder, "drift", inventory.name, *source, "--json", "drift.json", "--junit", "drift.xml")


def _fingerprint(folder: Path) -> str:
    """Over all reports, so that two versions of preflight can be held against each other."""
    digest = hashlib.sha256()
    for path in sorted([folder / "scan.json", folder / "scan.xml", *(folder / "pages").iterdir()]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each size and command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodes", type=int, nargs="+", default=[600, 2_400, 10_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--packed", action="store_true", help="evidence that is packed with gzip")
    parser.add_argument("--keep", type=Path, help="leave what is made in this folder")
    asked = parser.parse_args(arguments)
    first: dict[str, float] = {}
    print(f"{'nodes':>6}  {'command':<9} {'CPU s':>7} {'ms/node':>8} {'growth':>7} {'peak MiB':>9}  exit")
    for nodes in asked.nodes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = asked.keep / str(nodes) if asked.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            inventory, evidence = estate(folder, nodes, packed=asked.packed)
            for _ in range(asked.rounds):
                for name, cost in measured(folder, inventory, evidence):
                    each = cost.cpu_s / nodes * 1000
                    growth = each / first.setdefault(name, each)
                    print(
                        f"{nodes:>6}  {name:<9} {cost.cpu_s:>7.2f} {each:>8.2f} {growth:>6.2f}x {cost.peak_mib:>9.0f}"
                        f"  {cost.exit_code}",
                        flush=True,
                    )
            print(f"{nodes:>6}  evidence of {evidence.stat().st_size / 1e6:.1f} MB, reports {_fingerprint(folder)}")


if __name__ == "__main__":
    main()
