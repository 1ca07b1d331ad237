"""No check passes on what it did not see: every part of every answer of whole recordings is taken away in turn."""

from __future__ import annotations

import sys

import pytest

from tests.field.samples import Sample, awaited, samples
from tests.test_scanner.semantic_fuzz.bench import Accepted, Bench
from tests.test_scanner.test_field_samples import played

CHEF = (
    Accepted(
        probe="chef-service-status",
        what="^(line|word|all behind)",
        checks=("chef-version-match",),
        reason="goes by how long the services that are there run; those that are not, chef-cluster-status misses",
    ),
    Accepted(
        probe="chef-service-status",
        what=r"^word '\d+[dh]'",
        checks=("chef-cluster-status",),
        reason="a Time in State without its largest unit is one, and how long a service runs is not judged there",
    ),
    Accepted(
        probe="chef-config",
        what=r"^line '(form \d|end|set (?!leaderl\.))",
        checks=("chef-secrets-match",),
        reason="no setting of whom leaderl runs as",
    ),
    Accepted(
        probe="chef-config",
        what=r"^line 'form \d'",
        checks=("chef-config-match",),
        reason="it is read as an earlier version's answer",
    ),
    Accepted(
        probe="chef-config",
        what=r"^line 'set ",
        checks=("chef-config-match",),
        reason="a node's own setting, or one at its default",
    ),
    Accepted(
        probe="chef-cluster-status",
        what="",
        checks=("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        reason="the other backends show the same members",
        unread=True,
    ),
    Accepted(
        probe="chef-cluster-status",
        what=r"^(line '\S+ +\d|all behind)",
        checks=("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        reason="the other backends show them all; that one shows fewer, chef-cluster-status misses",
    ),
    Accepted(
        probe="chef-search-index",
        what="",
        checks=("stepping-stone",),
        reason="the other backends tell the same index",
        unread=True,
    ),
    Accepted(
        probe="chef-version",
        what="",
        checks=("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        reason="tells what an old version is excused from, and nothing needs an excuse",
        unread=True,
    ),
    Accepted(
        probe="chef-version",
        what="^all behind",
        checks=("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        reason="half a version is one, and of the same series",
    ),
    Accepted(
        probe="chef-version",
        what=r"^(all behind|word)",
        checks=("stepping-stone",),
        reason="half a version is one; that the answer is whole, its frame says",
    ),
    Accepted(
        probe="chef-frontend-services",
        what="opscode-expander|opscode-solr4|oc_id|bookshelf|haproxy|redis_lb",
        checks=("chef-frontend-status",),
        reason="a service that not every version and set-up has",
    ),
    Accepted(
        probe="linux-disks",
        what=r"index /var/opt|elasticsearch /var/opt",
        checks=("disk-space",),
        reason="earlier versions did not ask for it; the folder above it is judged",
    ),
    *(
        Accepted(
            probe=probe,
            what="^all behind",
            checks=(check,),
            reason="a list may end at any line; that it is whole, its frame says",
        )
        for probe, check in (("chef-leader-flags", "chef-sentinels"), ("chef-secrets-stray", "chef-secrets-stray"))
    ),
    *(
        Accepted(
            probe=probe, what=r"asked http", checks=(check,), reason="where it was asked matters where nobody answered"
        )
        for probe, check in (("chef-leaderl", "chef-leaderl"), ("chef-frontend-api", "chef-frontend-status"))
    ),
)

SECRET_SERVER = (
    Accepted(
        probe="secret-server-files",
        what="",
        checks=("windows-version", "dotnet-framework", "powershell-version"),
        reason="which version is installed leaves out the rules of what lies behind it; without it all of them hold",
        unread=True,
    ),
    Accepted(
        probe="secret-server-files",
        what=r"^value folders\[0\]\.(libraries( empty|\[\d\])|root\.path empty)",
        checks=("windows-version", "dotnet-framework", "powershell-version"),
        reason="the version is that of the other libraries, or unknown: then all rules hold",
    ),
    Accepted(
        probe="secret-server-files",
        what=r"^value folders\[0\]\.(libraries|root\.sources)",
        checks=("iis-integrated-pipeline", "app-pool-settings"),
        reason="the same; of which folder and pool it is, is another value's",
    ),
    Accepted(
        probe="secret-server-files",
        what=r"folders\[0\]\.(libraries|root)",
        checks=(
            *("stepping-stone", "app-version-match", "app-pool-state", "database-version-match"),
            *("web-config", "pool-identity-match"),
        ),
        reason="the other libraries have the same version, and another source names the same folder",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value (path empty|pools\[\d\]\.(mode_source empty|runtime_version ))",
        checks=("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match"),
        reason="only told: mode and runtime have values of their own, which are missed",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value (applications\[0\]|pools\[1\])",
        checks=("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match"),
        reason="another application's, or its pool's",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value applications\[1\]\.(path|site) empty",
        checks=("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match"),
        reason="the folder tells which application it is",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value pools(\[0\] gone|\[0\]\.name empty| empty)",
        checks=("app-pool-state",),
        reason="whether the pool runs is another probe's answer; that its settings are gone, app-pool-settings misses",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"pools\[0\]\.settings\.identity_type\.value empty",
        checks=("app-pool-settings",),
        reason="pool-identity-match misses it",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"pools\[0\]\.settings\.(load_user_profile|runtime)\.value empty",
        checks=("pool-identity-match",),
        reason="app-pool-settings and iis-integrated-pipeline miss it",
    ),
    Accepted(
        probe="windows-version",
        what="product_name|minor|major",
        checks=("windows-version",),
        reason="the build tells the version",
    ),
    Accepted(
        probe="windows-version",
        what="^frame",
        checks=("windows-version",),
        reason="not evaluated, and connectivity says why",
    ),
    Accepted(
        probe="powershell",
        what="^frame",
        checks=("powershell-version",),
        reason="not evaluated, and connectivity says why",
    ),
    Accepted(
        probe="sql-database",
        what=r"answers\.(mirroring|sessions|server\.rows\[\d\]\.)|instances\[\d\]\.name"
        r"|databases\.rows\[\d\]\.(collation|merge_published|merge_id|name|recovery|state)",
        checks=("database-compatibility", "database-version-match"),
        reason="another question's, or a name that is only told",
    ),
    Accepted(
        probe="sql-database",
        what=r"instances\[\d\]\.versions",
        checks=("database-compatibility",),
        reason="the application's version is another check's",
    ),
    Accepted(
        probe="app-files",
        what=r"\.files (null|gone|empty)|root\.path",
        checks=("app-files-match",),
        reason="the folder's digest is compared, too",
    ),
    Accepted(
        probe="sql-instances",
        what="edition|patch_level|version|instance_id",
        checks=("sql-server-version",),
        reason="of version and patch level one is enough",
    ),
    Accepted(
        probe="encryption-config",
        what=r"config\.(size_bytes|path)",
        checks=("encryption-config-match", "config-files-present", "efs-encryption"),
        reason="the hash is compared, the path is told",
    ),
    Accepted(
        probe="database-config",
        what=r"config\.(size_bytes|path)",
        checks=("config-files-present", "efs-encryption"),
        reason="the path is only told",
    ),
    Accepted(
        probe="app-pool-state",
        what=r"pools\[",
        checks=("app-pool-state",),
        reason="a pool that serves another application",
    ),
    Accepted(
        probe="sql-instances",
        what="^(frame|output|end|value instances)",
        checks=("database-support",),
        reason="the database itself tells its edition",
    ),
    Accepted(
        probe="sql-database",
        what="",
        checks=("database-support",),
        reason="not evaluated: that the database could not be asked, database-compatibility tells",
        unread=True,
    ),
    Accepted(
        probe="sql-database",
        what=r"(server\.rows\[\d\]\.(edition|engine_edition|computer|server_name|server_state|version|collation)"
        r"|answers\.(mirroring|sessions)|instances\[\d\]\.(name|versions)"
        r"|databases\.rows\[\d\]\.(collation|name|recovery|state))",
        checks=("database-support",),
        reason="of edition and its number one is enough, and the rest is another check's",
    ),
    Accepted(
        probe="sql-instances",
        what=r"^value instances(\[0\] gone| empty)",
        checks=("sql-server-version", "database-compatibility"),
        reason="no database host: connectivity is the error, and these are not evaluated",
    ),
    Accepted(probe="disks", what="system empty", checks=("disk-space",), reason="there is one drive"),
)
# Collected before an answer had an end that could be missing.
OLDER = (
    Accepted(
        probe="chef-config",
        what="^(all behind|output)",
        checks=("chef-config-match", "chef-secrets-match"),
        reason="form 2 has no end to miss",
    ),
)
BOTH = (*CHEF, *OLDER, *SECRET_SERVER)


def told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts, which a passing test would keep for itself."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


@pytest.mark.parametrize(
    ("name", "accepted", "most"),
    [
        ("chef-estate", CHEF, 500),
        ("chef-healthy", (*CHEF, *OLDER), 200),
        ("demo", BOTH, 400),
        ("secret-server-healthy", SECRET_SERVER, 500),
    ],
)
def test_a_part_that_is_gone_is_missed(
    name: str, accepted: tuple[Accepted, ...], most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some, the same each time; all of them with the slow tests."""
    tally = Bench.recorded(name).run(accepted, most=most, seed=1)
    told(f"{name}: {tally}", capsys)
    assert not tally.wrong, tally.wrong[:10]
    assert tally.refused > most // 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("chef-estate", CHEF),
        ("chef-healthy", (*CHEF, *OLDER)),
        ("demo", BOTH),
        ("secret-server-healthy", SECRET_SERVER),
    ],
)
def test_any_part_that_is_gone_is_missed(
    name: str, accepted: tuple[Accepted, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Bench.recorded(name).run(accepted)
    lines = [f"{name}: {tally}", *(f"  {count:5} {reason}" for reason, count in sorted(tally.accepted.items()))]
    told("\n".join(lines), capsys)
    assert not tally.wrong, tally.wrong[:10]


TEXTS = [
    pytest.param(sample, id=str(sample))
    for sample in samples()
    if sample.judged and sample.scenario.startswith("chef") and not awaited(sample)
]


@pytest.mark.parametrize("sample", TEXTS)
def test_a_part_of_a_real_text_that_is_gone_is_missed(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Bench.played(str(sample), played(sample)).run((*CHEF, *OLDER), most=30, seed=1)
    told(f"{sample}: {tally}", capsys)
    assert not tally.wrong, tally.wrong[:10]
    assert tally.refused


@pytest.mark.slow
@pytest.mark.parametrize("sample", TEXTS)
def test_any_part_of_a_real_text_that_is_gone_is_missed(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Bench.played(str(sample), played(sample)).run((*CHEF, *OLDER))
    told(f"{sample}: {tally}", capsys)
    assert not tally.wrong, tally.wrong[:10]


UNMISSED = {
    "database-config folders[].config.detail": "words beside the state",
    "encryption-config folders[].config.detail": "words beside the state",
    "secret-server-files folders[].libraries_error": "where it is, no libraries are, and they are missed",
    "sql-instances instances[].error": "where it is, no version is, and it is missed",
    "monitoring-agent apm_start": "told beside the service, which has a key of its own",
    "windows-version current_version": "stands in where major and minor are not there",
    "windows-version service_pack": "told, and judged by nothing: the build has it",
    "sql-database computer": "which host of a failover cluster runs it; not told, the host is held to everything",
    "sql-database instances[].cluster": "likewise",
    "sql-database declared": "what the inventory says, repeated; not told, every database is looked at",
    "sql-database instance": "likewise, for instances",
}
"""Keys of answers that are read and whose absence is not noticed, each with the reason why it may be so."""


@pytest.mark.parametrize("name", ["chef-estate", "chef-healthy", "demo", "secret-server-healthy"])
def test_a_key_that_is_gone_is_not_taken_for_what_it_says_most_often(name: str) -> None:
    assert {" ".join(one) for one in Bench.recorded(name).silent()} <= UNMISSED.keys()


IN_SPITE_OF_ALL = {
    # There is room enough for every version.
    "chef-version": {"disk-space"},
}
"""Probe to the checks that pass although nobody answered to it, each looked at."""


@pytest.mark.parametrize(
    "probe", sorted({probe.id for each in Bench.recorded("chef-estate").probes.values() for probe in each})
)
def test_what_no_node_answered_lets_nothing_pass(probe: str) -> None:
    """Where the others make up for one node, nobody makes up for all."""
    assert set(Bench.recorded("chef-estate").without(probe)) == IN_SPITE_OF_ALL.get(probe, set())
