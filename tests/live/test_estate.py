"""The field's cases on a real path: real sshd, sudo with the guides' lines, dpkg; the vendor's programs say what they
were seen to say. See estate.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.outcome import Result, Status
from checks.scan import Scan, Verdict
from scanner.cli.answers import with_credentials
from scanner.cli.options import resolve_options
from scanner.run.collect import scan
from tests.first_verdict import SSHD, sshd, take
from tests.live import estate as chef
from tests.live.estate import Estate, field_text, own_config, says
from tests.live.machine import why_not

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    if reason := why_not():
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no real estate: {reason}")
    folder = tmp_path_factory.mktemp("estate")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with chef.running(folder, key) as estate:
        yield estate


@pytest.fixture
def estate(started: Estate) -> Estate:
    """At 2.3.16 and healthy, whatever the test before did."""
    started.upgrade("2.3.16")
    return started


def scanned(estate: Estate, target: str, *checks: str) -> Scan:
    """A scan as the command makes it; of all checks unless some are named."""
    selection, job = resolve_options(estate.inventory(target), check=checks or None, timeout=120)
    return scan(with_credentials(job, selection))


def results(estate: Estate, *checks: str, target: str = "3.1.1") -> dict[str, Result]:
    """The results of `checks`, by node; the cluster's under ""."""
    done = scanned(estate, target, *checks)
    silent = [row for row in done.results if row.check == "connectivity" and row.status is not Status.PASS]
    assert not silent, silent
    return {row.node or "": row for row in done.results if row.check in checks}


def one(estate: Estate, check: str, node: str = "", target: str = "3.1.1") -> Result:
    """One result."""
    return results(estate, check, target=target)[node]


# The first verdict, as a newcomer types it.


def test_the_first_verdict_of_one_backend_s_cluster_is_that_of_its_inventory(estate: Estate, tmp_path: Path) -> None:
    assert scanned(estate, "3.1.1").verdict is Verdict.GO
    with sshd(estate, tmp_path) as terminal:
        for way in SSHD.ways:
            take(way, terminal)


# A healthy estate is GO, and nothing else.


@pytest.mark.parametrize(
    ("version", "target"), [("1.4.6", "2.3.16"), ("2.1.0", "2.3.16"), ("2.3.16", "3.1.1"), ("1.2.5", "2.3.16")]
)
def test_a_healthy_estate_is_go_with_no_warning(started: Estate, version: str, target: str) -> None:
    started.upgrade(version)
    done = scanned(started, target)
    bad = [f"{row.check} {row.node}: {row.status} {row.message}" for row in done.results if row.status in _NOT_WELL]
    assert not bad
    assert done.verdict is Verdict.GO
    missed = [row for row in done.results if row.not_evaluated]
    assert not missed
    assert all((node.connections, node.commands) == (1, 1) for node in done.nodes)
    told = " ".join([row.message for row in done.results if row.check == "stepping-stone"])
    assert ("goes down" in told) == (version < "2")
    assert chef.CANARY not in repr(done)


_NOT_WELL = (Status.FAIL, Status.ERROR, Status.WARN)


# chef-backend-ctl, as different versions and pages show it.


def test_a_status_with_folded_blanks_is_healthy(estate: Estate) -> None:
    for machine in estate.backends:
        says(machine, "status", field_text("status-folded-blanks.txt"))
    assert one(estate, "chef-cluster-status").status is Status.PASS


def test_a_cluster_without_a_leader_fails(estate: Estate) -> None:
    for machine in estate.backends:
        says(machine, "status", field_text("status-2x-leaderless.txt"))
    found = one(estate, "chef-cluster-status")
    assert found.status is Status.FAIL
    assert "leader" in found.message


def test_a_disk_that_is_not_ok_fails_by_its_path(estate: Estate) -> None:
    full = field_text("status-2x.txt").replace("/var/opt/chef-backend: OK", "/data/chef: FAIL")
    says(estate.backends[1], "status", full)
    found = one(estate, "chef-cluster-status")
    assert (found.status, "/data/chef" in found.message, "be-north2" in found.message) == (Status.FAIL, True, True)


@pytest.mark.parametrize("noise", ["stderr-gem-warning.txt", "stderr-eol-log-line.txt"])
def test_noise_on_standard_error_changes_nothing_and_is_shown(estate: Estate, noise: str) -> None:
    for machine in estate.backends:
        for command in ("status", "cluster-status"):
            sample = "status-2x.txt" if command == "status" else "cluster-status.txt"
            says(machine, command, field_text(sample), field_text(noise))
        says(machine, "--version", "2.3.16\n", field_text(noise))
    found = one(estate, "chef-cluster-status")
    assert found.status is Status.PASS
    assert field_text(noise).split()[0] in str(found.evidence["standard_error"])


def test_noise_does_not_hide_a_fault(estate: Estate) -> None:
    down = field_text("status-2x.txt").replace("running (pid 30114)", "down               ")
    says(estate.backends[1], "status", down, field_text("stderr-gem-warning.txt"), 1)
    assert one(estate, "chef-cluster-status").status is Status.FAIL


def test_further_columns_of_cluster_status_are_healthy(estate: Estate) -> None:
    for machine in estate.backends:
        says(machine, "cluster-status", _renamed(field_text("cluster-status-blocked-eligible.txt")))
    assert one(estate, "chef-cluster-status").status is Status.PASS


def _renamed(table: str) -> str:
    """With the names and addresses of this estate, in columns as wide as they were."""
    for number, line in enumerate(table.splitlines()[1:]):
        name, address = line.split()[:2]
        table = table.replace(name, chef.BACKENDS[number].ljust(len(name)))
        table = table.replace(address, chef.ADDRESSES[chef.BACKENDS[number]].ljust(len(address)))
    return table


# Frontends.


def test_the_notice_of_pg_is_no_fault_of_a_frontend(estate: Estate) -> None:
    found = one(estate, "chef-frontend-status", "fe-north1")
    assert found.status is Status.PASS
    assert "PGconn" in str(found.evidence["standard_error"])


def test_search_that_is_down_fails_behind_its_retries(estate: Estate) -> None:
    down = "frontend-status-search-down"
    says(estate.frontends[1], "status", field_text(f"{down}.stdout.txt"), field_text(f"{down}.stderr.txt"), 1)
    found = results(estate, "chef-frontend-status")
    assert found["fe-north1"].status is Status.PASS
    assert found["fe-north2"].status is Status.FAIL
    assert "opscode-solr4" in found["fe-north2"].message


@pytest.mark.parametrize(
    ("code", "body", "said"), [(503, "api-status-503.html", "503"), (500, "api-status-500.json", "chef_solr")]
)
def test_a_code_other_than_2xx_fails_whatever_the_body(estate: Estate, code: int, body: str, said: str) -> None:
    chef.serve_api(estate.frontends[0], code, field_text(body))
    found = results(estate, "chef-frontend-status")
    assert (found["fe-north1"].status, said in found["fe-north1"].message) == (Status.FAIL, True)
    assert found["fe-north2"].status is Status.PASS


@pytest.mark.parametrize("gone", [("fe-north2",), ("fe-north1", "fe-north2")])
def test_a_frontend_without_migration_level_fails_by_name(estate: Estate, gone: tuple[str, ...]) -> None:
    for name in gone:
        estate.machines[name].remove(chef.MIGRATION_LEVEL)
    found = one(estate, "chef-frontend-version")
    assert found.status is Status.FAIL
    assert all(name in found.message for name in gone)


def test_a_port_of_nginx_that_was_set_is_asked(estate: Estate) -> None:
    machine = estate.frontends[0]
    config = machine.path(chef.FRONTEND_CONFIG)
    config.write_text(config.read_text() + "nginx['ssl_port'] = 8443\n")
    chef.serve_api(machine, 200, chef.HEALTHY_API, 8443)
    found = one(estate, "chef-frontend-status", "fe-north1")
    assert found.status is Status.PASS, found.message


# Configuration.


@pytest.mark.parametrize(
    "samples",
    [
        ("backend-joined.rb", "backend-by-hand.rb", "backend-joined.rb"),
        ("backend-tab-no-newline.rb", "backend-tab-no-newline.rb", "backend-tab-no-newline.rb"),
    ],
)
def test_one_configuration_however_it_is_written_is_alike(estate: Estate, samples: tuple[str, ...]) -> None:
    for machine, sample in zip(estate.backends, samples, strict=True):
        machine.write(chef.CONFIG, own_config(machine, sample), 0o640)
    assert one(estate, "chef-config-match").status is Status.PASS


def test_another_value_is_a_difference(estate: Estate) -> None:
    machine = estate.backends[2]
    text = own_config(machine, "backend-generated-be1.rb").replace("17179869184", "8589934592")
    machine.write(chef.CONFIG, text, 0o640)
    found = one(estate, "chef-config-match")
    assert found.status in (Status.FAIL, Status.WARN)
    assert "be-north3" in found.message
    assert "8589934592" not in repr(found)


@pytest.mark.parametrize("setting", ["leaderl.http_port = 7400", "leaderl.http_address = '{address}'"])
def test_where_leaderl_was_told_to_listen_it_is_asked(estate: Estate, setting: str) -> None:
    for machine in estate.backends:
        line = setting.format(address=machine.address)
        machine.write(chef.CONFIG, own_config(machine, "backend-generated-be1.rb") + line + "\n", 0o640)
        where = {"port": 7400} if "port" in setting else {"port": 7331, "address": machine.address}
        machine.serve(
            {**where, "answers": {"/leader": chef.leads(machine)}},
            {"port": 9200, "answers": chef.elasticsearch(chef.INDEX)},
        )
    found = one(estate, "chef-leaderl")
    assert found.status is Status.PASS, found.message


def test_where_elasticsearch_was_told_to_listen_it_is_asked(estate: Estate) -> None:
    for machine in estate.backends:
        machine.write(chef.CONFIG, own_config(machine, "backend-generated-be1.rb") + "elasticsearch.port 9201\n", 0o640)
        machine.serve(
            {"port": 7331, "answers": {"/leader": chef.leads(machine)}},
            {"port": 9201, "address": machine.address, "answers": chef.elasticsearch(chef.INDEX)},
        )
    found = one(estate, "stepping-stone")
    assert found.status is Status.PASS, found.message


def test_a_silent_search_index_says_why_it_is_not_known(estate: Estate) -> None:
    for machine in estate.backends:
        machine.serve({"port": 7331, "answers": {"/leader": chef.leads(machine)}})
    found = one(estate, "stepping-stone")
    assert found.status is Status.WARN
    assert "be-north1, be-north2 and be-north3: " in found.message
    assert "could not be read" in found.message


# Secrets.


def test_a_file_of_secrets_that_the_services_cannot_read_fails(estate: Estate) -> None:
    estate.backends[1].run("chown", "root:root", chef.SECRETS)
    found = one(estate, "chef-secrets-match")
    assert found.status is Status.FAIL
    assert "be-north2" in found.message
    assert "chef_pgsql" in found.message + found.remediation.summary + found.remediation.command


@pytest.mark.parametrize(
    ("path", "mode", "status"),
    [
        ("/root/strays/chef-backend-cleanse-1/chef-backend-secrets.json", 0o600, Status.WARN),
        ("/home/kim/chef-backend-secrets.json", 0o644, Status.FAIL),
    ],
)
def test_a_copy_of_the_secrets_is_told_by_who_can_read_it(estate: Estate, path: str, mode: int, status: Status) -> None:
    estate.backends[0].run("install", "-d", "-m", "700" if path.startswith("/root") else "755", str(Path(path).parent))
    estate.backends[0].write(path, chef.CANARY, mode)
    found = results(estate, "chef-secrets-stray")
    assert found["be-north1"].status is status, found["be-north1"].message
    assert found["be-north2"].status is Status.PASS


# The way there.


def test_a_login_shell_that_takes_two_seconds_is_no_clock_skew(estate: Estate) -> None:
    estate.backends[1].write("/home/preflight/.bashrc", "sleep 2\n")
    assert one(estate, "clock-skew").status is Status.PASS


@pytest.mark.parametrize("name", ["csh", "fish", "zsh", "dash", "mksh", "ksh"])
def test_whatever_login_shell_the_account_has_it_is_asked(estate: Estate, name: str) -> None:
    machine = estate.backends[1]
    shell = shutil.which(name, path="/bin:/usr/bin")
    if not shell:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {name} on this machine")
    machine.run("usermod", "-s", shell, "preflight")
    try:
        found = results(estate, "chef-cluster-status", "clock-skew", "chef-config-match")
    finally:
        machine.run("usermod", "-s", "/bin/bash", "preflight")
    assert {row.status for row in found.values()} == {Status.PASS}


def test_requiretty_is_told_with_what_helps(estate: Estate) -> None:
    estate.backends[1].write(chef.SUDOERS, chef.sudoers_lines() + "Defaults:preflight requiretty\n", 0o440)
    found = one(estate, "chef-cluster-status")
    assert found.status is Status.ERROR
    assert "!requiretty" in found.message
    assert "NOPASSWD" not in found.message


def test_a_line_less_in_sudoers_is_told_for_what_it_allows(estate: Estate) -> None:
    lines = [line for line in chef.sudoers_lines().splitlines() if "chef-backend-ctl status" not in line]
    estate.backends[1].write(chef.SUDOERS, "\n".join(lines) + "\n", 0o440)
    found = one(estate, "chef-cluster-status")
    assert found.status is Status.ERROR
    assert "chef-backend-ctl status" in found.message


def test_a_machine_whose_bin_is_a_folder_of_its_own_is_asked_by_the_same_lines(estate: Estate) -> None:
    """As Ubuntu up to 18.04 and RHEL 6: ls, cat and grep are in /bin and nowhere else."""
    machine = estate.backends[0]
    machine.run("sh", "-c", _SPLIT)
    try:
        done = scanned(estate, "3.1.1")
        assert done.verdict is Verdict.GO
        assert not [row for row in done.results if row.status in _NOT_WELL]
    finally:
        machine.run("/bin/sh", "-c", _MERGE)


_SPLIT = """
set -e
mkdir /bin.new
cp -a /usr/bin/sh /usr/bin/dash /usr/bin/bash /usr/bin/ls /usr/bin/cat /usr/bin/grep /usr/bin/mv /usr/bin/rm /bin.new/
cp -a /usr/bin/ln /bin.new/
ln -sfn /bin.new /bin 2>/dev/null || true
rm /bin
mv /bin.new /bin
rm /usr/bin/ls /usr/bin/cat /usr/bin/grep
"""
_MERGE = """
set -e
mv /bin/ls /bin/cat /bin/grep /usr/bin/
mv /bin /bin.old
/usr/bin/ln -s usr/bin /bin
rm -r /bin.old
"""


# The path, and the room for it.


@pytest.mark.parametrize(("version", "status"), [("1.4.6", Status.FAIL), ("2.3.16", Status.PASS)])
def test_from_1_straight_to_3_is_a_failure(started: Estate, version: str, status: Status) -> None:
    started.upgrade(version)
    assert one(started, "stepping-stone").status is status


def test_an_index_that_is_too_old_for_a_rolling_upgrade_warns(estate: Estate) -> None:
    for machine in estate.backends:
        machine.serve(
            {"port": 7331, "answers": {"/leader": chef.leads(machine)}},
            {"port": 9200, "answers": chef.elasticsearch("5.4.1")},
        )
    assert one(estate, "stepping-stone").status is Status.WARN


def test_a_disk_that_elasticsearch_takes_for_full_is_no_pass(estate: Estate) -> None:
    machine = estate.backends[2]
    machine.run("dd", "if=/dev/zero", "of=/var/opt/chef-backend/data", "bs=1M", "count=24")
    used_mib = int(machine.run("df", "-m", "--output=used", "/").stdout.split()[-1])
    machine.shrink(f"{used_mib * 100 // 97}m")
    try:
        assert results(estate, "disk-space")["be-north3"].status is Status.FAIL
    finally:
        machine.shrink("400g")


def test_a_machine_that_has_nothing_to_do_with_chef_is_one_cause(estate: Estate) -> None:
    """Its name in the inventory leads to one with the scanner's account, and nothing else."""
    machine = estate.backends[2]
    machine.run("dpkg", "--purge", "--force-all", "chef-backend")
    machine.remove("/opt/chef-backend", "/etc/chef-backend", "/var/opt/chef-backend", "/usr/bin/chef-backend-ctl")
    try:
        done = scanned(estate, "3.1.1")
    finally:
        chef.install(machine, estate.folder, "chef-backend", "2.3.16")
    own = {row.check: row for row in done.results if row.node == "be-north3"}
    assert own["connectivity"].status is Status.ERROR
    assert "is no Chef Backend node (it calls itself be-north3)" in own["connectivity"].message
    assert {row.status for check, row in own.items() if check != "connectivity"} == {Status.SKIP}
    assert done.verdict is Verdict.UNKNOWN


# An inventory that writes itself.

_CONNECTED = """
import socket, sys, time
kept = []
for port in (5432, 9200):
    server = socket.socket() if port == 5432 else None
    if server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((sys.argv[1], port))
        server.listen()
    for peer in sys.argv[2:]:
        client = socket.socket()
        client.bind((peer, 0))
        client.connect((sys.argv[1], port))
        kept.append((client, server and server.accept()))
print("connected", flush=True)
sys.stdin.read()
"""


def test_one_backend_tells_the_whole_estate(estate: Estate, tmp_path: Path) -> None:
    leader, peers = estate.backends[0], [chef.ADDRESSES[name] for name in chef.FRONTENDS]
    for peer in peers:
        leader.run("ip", "address", "replace", f"{peer}/32", "dev", "lo")
    by_hand, drawn, names = estate.inventory("3.1.1"), tmp_path / "drawn.toml", tmp_path / "ssh_config"
    hosts = [f"Host {each.address}\n HostName 127.0.0.1\n Port {each.port}\n" for each in estate.machines.values()]
    names.write_text("".join(hosts))
    login = ["--user", "preflight", "--key-file", str(estate.key), "--sudo", "--set", f"ssh_config={names}"]
    login += ["--set", f"known_hosts={estate.folder / 'known_hosts'}", "--set", "agent=false"]
    command = [sys.executable, "-m", "scanner", "discover", leader.address, "--product", "chef-backend", *login]
    with leader.in_its_network(sys.executable, "-c", _CONNECTED, leader.address, *peers) as connected:
        assert connected.stdout
        assert connected.stdout.readline() == b"connected\n"
        asked = subprocess.run([*command, "-o", str(drawn)], capture_output=True, text=True, check=False)
    for peer in peers:
        leader.run("ip", "address", "delete", f"{peer}/32", "dev", "lo")
    assert asked.returncode == 0, asked.stderr
    drawn.write_text(drawn.read_text().replace('#target = "2.3.16"', 'target = "3.1.1"'))
    assert chef.CANARY not in drawn.read_text()
    found = {}
    for path in (by_hand, drawn):
        selection, job = resolve_options(path, timeout=120)
        done = scan(with_credentials(job, selection))
        found[path] = done.verdict, sorted((row.check, row.status) for row in done.results)
    assert found[drawn] == found[by_hand]
    assert found[drawn][0] is Verdict.GO
