"""What comes before a plan's first step: whether there is a plan at all, and what still stands in its way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.test_scanner.conftest import Ended, Preflight

PLANS = Path(__file__).with_name("plans")


def planned(folder: Path, preflight: Preflight, base: str, more: str, *options: str, edit: str = "") -> Ended:
    """The plan of a scenario that extends one of the reviewed plans; `edit` takes tables out of the inventory."""
    file = folder / "scenario.toml"
    file.write_text(f'extends = "{PLANS / base}.toml"\ntitle = "Changed"\n{more}\n', encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(folder)
        if edit:
            text = inventory.read_text(encoding="utf-8")
            cut = re.sub(rf"\[{re.escape(edit)}\]\n(?:[^\[].*\n|\n)*", "", text)
            assert cut != text
            inventory.write_text(cut, encoding="utf-8")
        return preflight("plan", inventory, "-q", *options)


def refused(ended: Ended, reason: str, code: int) -> None:
    assert reason in ended.out
    assert ended.code == code
    assert "What to do instead" in ended.out
    assert "**1.1**" not in ended.out


def test_a_backend_that_the_inventory_does_not_name_would_be_left_behind(tmp_path: Path, preflight: Preflight) -> None:
    ended = planned(tmp_path, preflight, "chef-within-3", "", edit="clusters.chef.nodes.backend-3")
    refused(ended, "which is not one backend of the inventory", 3)
    assert "backend-3" in ended.out


def test_a_member_that_the_cluster_has_lost_is_named(tmp_path: Path, preflight: Preflight) -> None:
    lost = "".join(
        f'[clusters.chef.nodes.backend-{number}]\nchef = {{sees = ["backend-1", "backend-2"]}}\n'
        for number in (1, 2, 3)
    )
    ended = planned(tmp_path, preflight, "chef-within-3", lost)
    assert "luster-status does not show backend-3, which the inventory names" in ended.out
    assert "**1.1**" not in ended.out


def test_files_and_database_of_two_versions_are_a_half_done_upgrade(tmp_path: Path, preflight: Preflight) -> None:
    later = '[clusters.vault.nodes.sql1]\nwindows = {sql = [{version = "15.0.2000.5", databases = [{name = "VaultDB", '
    ended = planned(tmp_path, preflight, "vault-mirrored", later + 'version = "9.1.000001"}]}]}')
    refused(ended, "files are those of 9.0.000000, the database on sql1 is that of 9.1.000001", 1)


def test_without_a_target_there_is_nothing_to_plan(tmp_path: Path, preflight: Preflight) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(f'extends = "{PLANS / "vault-single"}.toml"\ntitle = "Changed"\n', encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(tmp_path)
        text = inventory.read_text(encoding="utf-8")
        inventory.write_text(re.sub(r"target = .*\n", "", text), encoding="utf-8")
        refused(preflight("plan", inventory, "-q"), "no target version", 3)


def test_evidence_that_lacks_a_node_makes_no_plan(tmp_path: Path, preflight: Preflight) -> None:
    with Lab(load_scenario(PLANS / "vault-two-step.toml")) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("collect", inventory, "--node", "web1", "-o", tmp_path / "part.json", "-q").code == 0
    ended = preflight("plan", inventory, "--from", tmp_path / "part.json", "-q")
    refused(ended, "web2: no evidence of this node", 1)


def test_one_refused_cluster_does_not_hide_the_plan_of_another(tmp_path: Path, preflight: Preflight) -> None:
    drbd = (PLANS / "chef-drbd.toml").read_text(encoding="utf-8").partition("\n")[2]
    ended = planned(tmp_path, preflight, "vault-single", drbd)
    assert ended.code == 1
    assert "## chef: no plan" in ended.out
    assert "## vault: Secret Server 8.4.000004 to 9.1.000001" in ended.out
    assert "**1.1**" in ended.out


def test_a_cluster_by_itself_is_planned_whatever_the_others_are(tmp_path: Path, preflight: Preflight) -> None:
    drbd = (PLANS / "chef-drbd.toml").read_text(encoding="utf-8").partition("\n")[2]
    ended = planned(tmp_path, preflight, "vault-single", drbd, "--cluster", "vault")
    assert ended.code == 0
    assert "DRBD" not in ended.out


NODE_TOO_OLD = '[clusters.vault.nodes.web2]\nwindows = {dotnet = "4.7.2"}\n'
WAIVER = """
[[waivers]]
check = "dotnet-framework"
cluster = "vault"
node = "web2"
reason = "4.8 comes in step one"
owner = "Ada Admin"
expires = 2999-12-31
"""


def test_a_blocker_names_the_hop_its_fix_and_the_step_that_is_about_it(tmp_path: Path, preflight: Preflight) -> None:
    ended = planned(tmp_path, preflight, "vault-mirrored", NODE_TOO_OLD)
    assert ended.code == 1
    assert "**B1** **FAIL** `dotnet-framework`, web2" in ended.out
    assert "10.9.000005, on the way to 11.7.000049, needs .NET Framework 4.8" in ended.out
    assert "- fix: Install .NET Framework 4.8" in ended.out
    (line,) = [line for line in ended.out.splitlines() if line.startswith("- [ ] **B1**")]
    (step,) = re.findall(r"step (\d\.\d+) is about it", line)
    assert f"- [ ] **{step}** Install the .NET Framework 4.8" in ended.out


def test_the_page_links_each_blocker_of_the_gate_to_its_finding(tmp_path: Path, preflight: Preflight) -> None:
    planned(tmp_path, preflight, "vault-mirrored", NODE_TOO_OLD, "-o", str(tmp_path / "plan.html"))
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert '<a href="#p1-B1">B1</a> dotnet-framework, web2' in page
    assert page.count('id="p1-B1"') == 1
    assert page.index('id="p1-B1"') < page.index("Before the window opens")


def test_what_is_waived_blocks_nothing_and_says_who_until_when_and_why(tmp_path: Path, preflight: Preflight) -> None:
    waivers = tmp_path / "waivers.toml"
    waivers.write_text(WAIVER, encoding="utf-8")
    ended = planned(tmp_path, preflight, "vault-mirrored", NODE_TOO_OLD, "--waivers", str(waivers))
    assert ended.code == 0
    assert "**A1** **WAIVED** `dotnet-framework`, web2" in ended.out
    assert "waived by Ada Admin until 2999-12-31 (4.8 comes in step one)" in ended.out
    assert "### Blockers" not in ended.out


def test_a_waiver_that_has_expired_is_worth_nothing(tmp_path: Path, preflight: Preflight) -> None:
    waivers = tmp_path / "waivers.toml"
    waivers.write_text(WAIVER.replace("2999", "2020"), encoding="utf-8")
    ended = planned(tmp_path, preflight, "vault-mirrored", NODE_TOO_OLD, "--waivers", str(waivers))
    assert ended.code == 1
    assert "**B1** **FAIL** `dotnet-framework`" in ended.out
    assert "expired on 2020-12-31" in ended.out


@pytest.mark.parametrize(
    ("run", "options", "code"),
    [
        ("", (), 0),
        ("", ("--strict",), 1),
        ("[run]\nstrict = true", (), 1),
        ("[run]\nstrict = true", ("--no-strict",), 0),
    ],
)
def test_strict_counts_warnings_as_a_scan_does(
    tmp_path: Path, preflight: Preflight, run: str, options: tuple[str, ...], code: int
) -> None:
    ended = planned(tmp_path, preflight, "vault-mirrored", run, *options)
    assert ended.code == code
    assert ("**B1** **WARN**" in ended.out) == bool(code)


def test_what_people_vouch_for_is_told(tmp_path: Path, preflight: Preflight) -> None:
    word = '[[attestations]]\nstatement = "restored in a test"\nby = "Grace"\ndate = 2026-11-01\nexpires = 2999-01-01\n'
    ended = planned(tmp_path, preflight, "vault-single", word + 'cluster = "vault"')
    assert "## Attested, not checked (1)" in ended.out
    assert "restored in a test - Grace" in ended.out


def test_frontends_too_old_for_a_hop_are_told_at_that_hop_with_both_sides(tmp_path: Path, preflight: Preflight) -> None:
    old = "".join(f'[clusters.chef.nodes.front-{number}]\nlinux = {{package = "12.16.9-1.el7"}}\n' for number in (1, 2))
    ended = planned(tmp_path, preflight, "chef-old-index", old)
    second = ended.out.index("### 3. Hop 2 of 2")
    told = ended.out.index("Decide when front-1 and front-2 will get Chef Infra Server 13.2.0 or later")
    assert told > second
    assert "front-1 has 12.16.9-1.el7 now" in ended.out
    assert "stops on the way to anything later: 12.17.15" in ended.out


def test_what_a_hop_asks_of_frontends_is_decided_once_where_the_next_hop_asks_for_it_too(
    tmp_path: Path, preflight: Preflight
) -> None:
    old = "".join(f'[clusters.chef.nodes.front-{number}]\nlinux = {{package = "12.16.1-1.el7"}}\n' for number in (1, 2))
    ended = planned(tmp_path, preflight, "chef-old-index", old)
    first, second = ended.out.partition("### 2. Hop 1 of 2")[2].split("### 3. Hop 2 of 2")
    decide = r"Decide when front-1 and front-2 will get Chef Infra Server (\S+) or later"
    assert re.findall(decide, first) == ["12.16.2"]
    assert re.findall(decide, second) == ["13.2.0"]


@pytest.mark.parametrize(
    ("base", "target", "way", "looks"),
    [
        # Within 2.x nothing depends on the index: whatever is known of it, the nodes are upgraded one by one.
        ("chef-rolling", "2.3.16", "one node after the other", False),
        ("chef-downtime", "2.3.16", "with the whole cluster down", False),
        # From the very first 3.x on Elasticsearch takes over no old index, and one of unknown age may be old.
        ("chef-unread", "3.0.0", "with the frontends stopped and the search index made anew", True),
    ],
)
def test_an_index_of_unknown_age_counts_where_the_way_depends_on_it(
    tmp_path: Path, preflight: Preflight, base: str, target: str, way: str, *, looks: bool
) -> None:
    silent = '[clusters.chef.defaults]\nlinux = {index = "none"}\n'
    ended = planned(tmp_path, preflight, base, silent, "--target", target)
    hop = re.findall(rf"### \d\. Hop \d of \d: \S+ to {re.escape(target)}, (.*)", ended.out)
    assert hop == [way]
    assert ("See that the search index is healthy" in ended.out) == looks
    assert ("could not be read" in ended.out.rpartition("### 2. Hop")[2]) == looks


def test_an_index_that_is_made_anew_is_no_old_one_at_the_next_hop(tmp_path: Path, preflight: Preflight) -> None:
    older = '[clusters.chef.defaults]\nlinux = {index = "2.3.1"}\n'
    ended = planned(tmp_path, preflight, "chef-old-index", older)
    assert "### 2. Hop 1 of 2: 2.0.30 to 2.3.16, with the frontends stopped and the search index made anew" in ended.out
    assert "### 3. Hop 2 of 2: 2.3.16 to 3.1.1, one node after the other" in ended.out


def test_a_database_that_could_not_be_asked_may_be_mirrored(tmp_path: Path, preflight: Preflight) -> None:
    ended = planned(tmp_path, preflight, "vault-two-step", '[clusters.vault.nodes.sql1]\nfault = "refuse"')
    assert "whether the database on sql1 is mirrored or in an availability group" in ended.out
    assert ended.code == 1


def test_quiet_says_nothing_but_what_is_wrong(tmp_path: Path, preflight: Preflight) -> None:
    wrong = planned(tmp_path, preflight, "vault-mirrored", NODE_TOO_OLD, "-o", str(tmp_path / "plan.md"))
    assert "NO-GO: 1 blocker. Clear it first" in wrong.out
    assert "**1.1**" not in wrong.out


def test_what_the_command_line_said_is_said_again_by_each_command(tmp_path: Path, preflight: Preflight) -> None:
    waivers = tmp_path / "my waivers.toml"
    waivers.write_text(WAIVER, encoding="utf-8")
    options = ("--target", "10.9.000064", "--waivers", str(waivers))
    ended = planned(tmp_path, preflight, "vault-mirrored", NODE_TOO_OLD, *options)
    scans = re.findall(r"^ *preflight scan .*$", ended.out, re.MULTILINE)
    assert scans
    assert all(scan.count("--target vault=") == 1 and f"--waivers '{waivers}'" in scan for scan in scans)
    assert "--target vault=10.9.000064 --waivers" in next(scan for scan in scans if "--phase before" in scan)
    assert "--target vault=9.1.000001 --waivers" in ended.out
