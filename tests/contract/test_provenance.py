"""What programs print is taken from real texts: each reader has met one, or stands on a list that only shrinks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.registry import BUILTIN
from tests.field.samples import (
    FOLDER,
    ORIGINS,
    OWN,
    Sample,
    answer_of,
    awaited,
    imagined,
    readers,
    samples,
    topics,
    value_at,
)

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"
SAMPLES = samples()
READ = [pytest.param(each, name, id=f"{each}-{name}", marks=awaited(each)) for each in SAMPLES for name in each.readers]
IMAGINED = {
    "app_backup",
    "app_files",
    "app_pools",
    "app_tree",
    "computer_name",
    "database_backup",
    "database_backups",
    "database_config",
    "disks",
    "dotnet_framework",
    "encryption_config",
    "failover_clusters",
    "iis_authentication",
    "iis_configuration",
    "monitoring_agent",
    "outbound_access",
    "pending_reboot",
    "pool_states",
    "powershell_version",
    "read_leader_answer",
    "secret_server_database",
    "sql_instances",
    "web_config",
    "web_root",
    "windows_version",
}
"""Readers that have met only texts of ours. A name may be taken out of here, never put in: find a real text first."""


def imagined_section() -> str:
    """The table that CONTRIBUTING shows."""
    purposes = {name: (probe.id, probe.language) for name, (probe, _) in readers().items()}
    rows = ["| reader | probe |", "|---|---|"]
    rows += [f"| `{name}` | `{purposes[name][0]}` ({purposes[name][1]}) |" for name in imagined(SAMPLES)]
    return "\n".join(rows)


def test_every_reader_has_a_real_sample_or_is_known_to_have_none() -> None:
    now = set(imagined(SAMPLES))
    new = sorted(now - IMAGINED)
    assert not new, f"no real text for {new}: add one to tests/field with its source (CONTRIBUTING, 'Samples')"
    found = sorted(IMAGINED - now)
    assert not found, f"{found} have a real text now: take them out of IMAGINED here, then `make readme`"


def test_the_table_of_what_is_imagined_is_shown() -> None:
    shown = re.search(
        r"<!-- imagined:begin -->\n(.*?)\n<!-- imagined:end -->", CONTRIBUTING.read_text("utf-8"), re.DOTALL
    )
    assert shown
    assert shown[1].strip() == imagined_section(), "run: make readme"


def test_reader_names_are_unique() -> None:
    told = [
        reader.__name__ for probe in BUILTIN if probe.language in ("sh", "powershell") for _, reader in probe.readers
    ]
    assert sorted(told) == sorted(readers())


@pytest.mark.parametrize("topic", topics(), ids=lambda path: path.name)
def test_every_file_has_its_row_and_every_row_its_file(topic: Path) -> None:
    files = {path.name for path in topic.iterdir() if path.name != OWN}
    rows = [sample.path.name for sample in SAMPLES if sample.path.parent == topic]
    assert sorted(rows) == sorted(files)


def test_no_folder_is_without_provenance() -> None:
    folders = {path for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(topics())


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_sample_says_where_it_is_from(sample: Sample) -> None:
    assert sample.origin in ORIGINS
    assert all(text.strip() and "\n" not in text for text in (sample.program, sample.source, sample.right))
    assert set(sample.readers) <= set(readers()), "no such reader"
    assert not (sample.expect and sample.unreadable)
    assert bool(sample.scenario) == bool(sample.judged)
    # An input that nothing is concluded from would be a sample in name only.
    assert not sample.readers or sample.expect or sample.unreadable or sample.judged


@pytest.mark.parametrize(("sample", "name"), READ)
def test_a_reader_reads_it_rightly(sample: Sample, name: str) -> None:
    probe, reader = readers()[name]
    answer = answer_of(sample, probe)
    if sample.unreadable:
        with pytest.raises(UnreadableError, match=sample.unreadable):
            reader(answer)
        return
    fact = reader(answer)
    wanted = {path: tuple(value) if isinstance(value, list) else value for path, value in sample.expect.items()}
    assert {path: value_at(fact, path) for path in wanted} == wanted


def test_a_real_sample_beside_its_probe_says_where_it_is_from_and_is_read() -> None:
    for probe in BUILTIN:
        if probe.sample_from:
            origin, _, source = probe.sample_from.partition(": ")
            assert origin in set(ORIGINS) - {"imagined"}, probe.id
            assert source.strip(), probe.id
            for _, reader in probe.readers:
                reader(Answer(probe.sample, 0))
