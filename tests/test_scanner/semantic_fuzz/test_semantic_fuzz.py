"""No check passes on what it did not see: every part of every answer of whole recordings is taken away in turn."""

from __future__ import annotations

import sys

import pytest

from tests.field.samples import Sample, awaited, samples
from tests.test_scanner.semantic_fuzz.bench import Accepted, Bench
from tests.test_scanner.test_field_samples import played

CHEF = (
    Accepted(
        "chef-service-status",
        "^(line|word|all behind)",
        ("chef-version-match",),
        "goes by how long the services that are there run; those that are not, chef-cluster-status misses",
    ),
    Accepted(
        "chef-service-status",
        r"^word '\d+[dh]'",
        ("chef-cluster-status",),
        "a Time in State without its largest unit is one, and how long a service runs is not judged there",
    ),
    Accepted(
        "chef-config",
        r"^line '(form \d|end|set (?!leaderl\.))",
        ("chef-secrets-match",),
        "no setting of whom leaderl runs as",
    ),
    Accepted("chef-config", r"^line 'form \d'", ("chef-config-match",), "it is read as an earlier version's answer"),
    Accepted("chef-config", r"^line 'set ", ("chef-config-match",), "a node's own setting, or one at its default"),
    Accepted(
        "chef-cluster-status",
        "",
        ("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        "the other backends show the same members",
        unread=True,
    ),
    Accepted(
        "chef-cluster-status",
        r"^(line '\S+ +\d|all behind)",
        ("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        "the other backends show them all; that one shows fewer, chef-cluster-status misses",
    ),
    Accepted("chef-search-index", "", ("stepping-stone",), "the other backends tell the same index", unread=True),
    Accepted(
        "chef-version",
        "",
        ("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        "tells what an old version is excused from, and nothing needs an excuse",
        unread=True,
    ),
    Accepted(
        "chef-version",
        "^all behind",
        ("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        "half a version is one, and of the same series",
    ),
    Accepted(
        "chef-version",
        r"^(all behind|word)",
        ("stepping-stone",),
        "half a version is one; that the answer is whole, its frame says",
    ),
    Accepted(
        "chef-frontend-services",
        "opscode-expander|opscode-solr4|oc_id|bookshelf|haproxy|redis_lb",
        ("chef-frontend-status",),
        "a service that not every version and set-up has",
    ),
    Accepted(
        "linux-disks",
        r"index /var/opt|elasticsearch /var/opt",
        ("disk-space",),
        "earlier versions did not ask for it; the folder above it is judged",
    ),
    *(
        Accepted(probe, "^all behind", (check,), "a list may end at any line; that it is whole, its frame says")
        for probe, check in (("chef-leader-flags", "chef-sentinels"), ("chef-secrets-stray", "chef-secrets-stray"))
    ),
    *(
        Accepted(probe, r"asked http", (check,), "where it was asked matters where nobody answered")
        for probe, check in (("chef-leaderl", "chef-leaderl"), ("chef-frontend-api", "chef-frontend-status"))
    ),
)

SECRET_SERVER = (
    Accepted(
        "secret-server-files",
        "",
        ("windows-version", "dotnet-framework", "powershell-version"),
        "which version is installed leaves out the rules of what lies behind it; without it all of them hold",
        unread=True,
    ),
    Accepted(
        "secret-server-files",
        r"^value folders\[0\]\.(libraries( empty|\[\d\])|root\.path empty)",
        ("windows-version", "dotnet-framework", "powershell-version"),
        "the version is that of the other libraries, or unknown: then all rules hold",
    ),
    Accepted(
        "secret-server-files",
        r"^value folders\[0\]\.(libraries|root\.sources)",
        ("iis-integrated-pipeline", "app-pool-settings"),
        "the same; of which folder and pool it is, is another value's",
    ),
    Accepted(
        "secret-server-files",
        r"folders\[0\]\.(libraries|root)",
        (
            *("stepping-stone", "app-version-match", "app-pool-state", "database-version-match"),
            *("web-config", "pool-identity-match"),
        ),
        "the other libraries have the same version, and another source names the same folder",
    ),
    Accepted(
        "iis-configuration",
        r"^value (path empty|pools\[\d\]\.(mode_source empty|runtime_version ))",
        ("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match"),
        "only told: mode and runtime have values of their own, which are missed",
    ),
    Accepted(
        "iis-configuration",
        r"^value (applications\[0\]|pools\[1\])",
        ("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match"),
        "another application's, or its pool's",
    ),
    Accepted(
        "iis-configuration",
        r"^value applications\[1\]\.(path|site) empty",
        ("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match"),
        "the folder tells which application it is",
    ),
    Accepted(
        "iis-configuration",
        r"^value pools(\[0\] gone|\[0\]\.name empty| empty)",
        ("app-pool-state",),
        "whether the pool runs is another probe's answer; that its settings are gone, app-pool-settings misses",
    ),
    Accepted(
        "iis-configuration",
        r"pools\[0\]\.settings\.identity_type\.value empty",
        ("app-pool-settings",),
        "pool-identity-match misses it",
    ),
    Accepted(
        "iis-configuration",
        r"pools\[0\]\.settings\.(load_user_profile|runtime)\.value empty",
        ("pool-identity-match",),
        "app-pool-settings and iis-integrated-pipeline miss it",
    ),
    Accepted("windows-version", "product_name|minor|major", ("windows-version",), "the build tells the version"),
    Accepted("windows-version", "^frame", ("windows-version",), "not evaluated, and connectivity says why"),
    Accepted("powershell", "^frame", ("powershell-version",), "not evaluated, and connectivity says why"),
    Accepted(
        "sql-database",
        r"answers\.(mirroring|sessions|server\.rows\[\d\]\.)|instances\[\d\]\.name"
        r"|databases\.rows\[\d\]\.(collation|merge_published|merge_id|name|recovery|state)",
        ("database-compatibility", "database-version-match"),
        "another question's, or a name that is only told",
    ),
    Accepted(
        "sql-database",
        r"instances\[\d\]\.versions",
        ("database-compatibility",),
        "the application's version is another check's",
    ),
    Accepted(
        "app-files",
        r"\.files (null|gone|empty)|root\.path",
        ("app-files-match",),
        "the folder's digest is compared, too",
    ),
    Accepted(
        "sql-instances",
        "edition|patch_level|version|instance_id",
        ("sql-server-version",),
        "of version and patch level one is enough",
    ),
    Accepted(
        "encryption-config",
        r"config\.(size_bytes|path)",
        ("encryption-config-match", "config-files-present", "efs-encryption"),
        "the hash is compared, the path is told",
    ),
    Accepted(
        "database-config",
        r"config\.(size_bytes|path)",
        ("config-files-present", "efs-encryption"),
        "the path is only told",
    ),
    Accepted("app-pool-state", r"pools\[", ("app-pool-state",), "a pool that serves another application"),
    Accepted(
        "sql-instances",
        "^(frame|output|end|value instances)",
        ("database-support",),
        "the database itself tells its edition",
    ),
    Accepted(
        "sql-database",
        "",
        ("database-support",),
        "not evaluated: that the database could not be asked, database-compatibility tells",
        unread=True,
    ),
    Accepted(
        "sql-database",
        r"(server\.rows\[\d\]\.(edition|engine_edition|computer|server_name|server_state|version|collation)"
        r"|answers\.(mirroring|sessions)|instances\[\d\]\.(name|versions)"
        r"|databases\.rows\[\d\]\.(collation|name|recovery|state))",
        ("database-support",),
        "of edition and its number one is enough, and the rest is another check's",
    ),
    Accepted(
        "sql-instances",
        r"^value instances(\[0\] gone| empty)",
        ("sql-server-version", "database-compatibility"),
        "no database host: connectivity is the error, and these are not evaluated",
    ),
    Accepted("disks", "system empty", ("disk-space",), "there is one drive"),
)
# Collected before an answer had an end that could be missing.
OLDER = (
    Accepted(
        "chef-config", "^(all behind|output)", ("chef-config-match", "chef-secrets-match"), "form 2 has no end to miss"
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
