"""What a frontend of a Chef Backend cluster says of itself, read from real texts and from a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.chef_backend.facts.machine import FrontendApi, FrontendMembers, FrontendPackage, FrontendServices
from scanner.probes.chef_backend import frontend
from scanner.probes.chef_backend.frontend_readers import (
    MIGRATION_LEVEL,
    read_frontend_api,
    read_frontend_members,
    read_frontend_package,
    read_frontend_services,
)
from scanner.probes.probe import Answer, UnreadableError
from tests.test_scanner.conftest import Play, put

NO_PACKAGE = "exit 1"
LEVEL = '{"major":1,"minor":37}'


def test_an_rpm_with_its_level_is_read_from_a_real_shell(play: Play, tmp_path: Path) -> None:
    rpm = "case $* in *chef-server-core) printf 15.0.9-1.el7 ;; *) exit 1 ;; esac"
    put(tmp_path, MIGRATION_LEVEL, '{"major": 1,\n "minor": 37}')
    found = read_frontend_package(play(frontend.FRONTEND_PACKAGE, rpm=rpm, dpkg_query=NO_PACKAGE))
    assert found == FrontendPackage(version="15.0.9-1.el7", migration_level=LEVEL, manager="rpm", addons=())


def test_a_deb_with_its_add_ons_is_read_from_a_real_shell(play: Play, tmp_path: Path) -> None:
    query = """case $* in
*Version*chef-server-core) printf 'install ok installed 14.16.19-1' ;;
*opscode-manage*)
    printf '|has %s|' 'opscode-push-jobs-server deinstall ok config-files' 'chef-manage install ok installed'
    printf '|has %s|' 'opscode-reporting hold ok installed'
    exit 1 ;;
*) exit 1 ;;
esac"""
    put(tmp_path, MIGRATION_LEVEL, LEVEL)
    found = read_frontend_package(play(frontend.FRONTEND_PACKAGE, rpm=NO_PACKAGE, dpkg_query=query))
    assert (found.version, found.manager, found.state) == ("14.16.19-1", "deb", "installed")
    assert found.addons == ("chef-manage", "opscode-reporting")


@pytest.mark.parametrize(
    ("said", "version", "state"),
    [
        ("deinstall ok config-files 14.16.19-1", "", "installed"),
        ("unknown ok not-installed ", "", "installed"),
        ("install ok half-configured 14.16.19-1", "14.16.19-1", "half-configured"),
    ],
)
def test_what_dpkg_says_of_a_package_that_is_not_wholly_there(play: Play, said: str, version: str, state: str) -> None:
    answer = play(frontend.FRONTEND_PACKAGE, rpm=NO_PACKAGE, dpkg_query=f"printf '{said}'")
    found = read_frontend_package(answer)
    assert (found.version, found.state) == (version, state)


def test_a_level_that_is_missing_empty_or_garbled_is_each_told_as_such(play: Play, tmp_path: Path) -> None:
    def state() -> tuple[str, str]:
        found = read_frontend_package(play(frontend.FRONTEND_PACKAGE, rpm=NO_PACKAGE, dpkg_query=NO_PACKAGE))
        return found.level_state, found.migration_level

    assert state() == ("missing", "")
    put(tmp_path, MIGRATION_LEVEL, "\n")
    assert state() == ("empty", "")
    put(tmp_path, MIGRATION_LEVEL, '{"major":1,')
    assert state() == ("unread", "")
    put(tmp_path, MIGRATION_LEVEL, LEVEL)
    assert state() == ("read", LEVEL)


@pytest.mark.parametrize(
    ("errors", "problem"),
    [
        ("sudo: a password is required\n", "sudo wants a password"),
        (f"cat: {MIGRATION_LEVEL}: Permission denied\n", "may not be read"),
        ("", "cat ended with exit code 1"),
    ],
)
def test_a_level_that_may_not_be_read_leaves_the_version_known(errors: str, problem: str) -> None:
    said = "package 15.0.9-1.el7\nmanager rpm\nlevel\ncode 1\n"
    found = read_frontend_package(Answer(said, 0, error_output=errors))
    assert (found.version, found.level_state) == ("15.0.9-1.el7", "unread")
    assert problem in found.level_problem


def test_what_earlier_versions_collected_is_read_as_it_was() -> None:
    assert read_frontend_package(Answer(f"package 15.0.9-1\n{LEVEL}\n", 0)) == FrontendPackage(
        version="15.0.9-1", migration_level=LEVEL
    )
    missing = f"package 15.0.9-1\ncat: {MIGRATION_LEVEL}: No such file or directory\n"
    assert read_frontend_package(Answer(missing, 0)) == FrontendPackage(
        version="15.0.9-1", migration_level="", level_state="missing"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "package 15.0.9-1\n",
        "hello\n",
        "package 15.0.9-1\ncat: x: Permission denied\n",
        f"package 15.0.9-1\nlevel\n{LEVEL}\n",
        f"hello\nlevel\n{LEVEL}\ncode 0\n",
        f"level\n{LEVEL}\ncode 0\n",
    ],
)
def test_a_garbled_frontend_package_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="not understood"):
        read_frontend_package(Answer(text, 0))


HEAD = "-------------------\n Internal Services \n-------------------\n"
TAIL = "-------------------\n External Services \n-------------------\n"
HEALTHY = f"""\
{HEAD}run: nginx: (pid 1203) 86400s; run: log: (pid 1100) 86400s
run: opscode-erchef: (pid 1206) 86400s; run: log: (pid 1102) 86400s
run: oc_id: (pid 1207) 86400s; run: log: (pid 1103) 86400s
{TAIL}run: elasticsearch: connected OK to http://127.0.0.1:9200

run: postgresql: connected OK to 127.0.0.1:5432
"""


def status(*lines: str, code: int = 0, errors: str = "") -> FrontendServices:
    return read_frontend_services(
        Answer(f"{HEALTHY}{''.join(f'{line}{chr(10)}' for line in lines)}", code, error_output=errors)
    )


def test_services_are_read_from_a_real_shell(play: Play) -> None:
    script = f"echo 'WARN: old' >&2; cat <<'END'\n{HEALTHY}END\nexit 0"
    found = read_frontend_services(play(frontend.FRONTEND_SERVICES, chef_server_ctl=script))
    assert found == FrontendServices(
        running=("nginx", "opscode-erchef", "oc_id", "elasticsearch", "postgresql"),
        down=(),
        external=("elasticsearch", "postgresql"),
    )


@pytest.mark.parametrize(
    ("line", "code", "field", "holds"),
    [
        ("down: nginx: 3s, normally up", 3, "down", "down: nginx: 3s, normally up"),
        (
            "down: nginx: 3s, normally up; run: log: (pid 3) 9s",
            3,
            "down",
            "down: nginx: 3s, normally up; run: log: (pid 3) 9s",
        ),
        ("down: oc_bifrost: 1s, normally up, want up", 3, "down", "down: oc_bifrost: 1s, normally up, want up"),
        ("down: opscode-erchef: (pid 35546) 10s", 3, "down", "down: opscode-erchef: (pid 35546) 10s"),
        ("down: postgresql: failed to connect to 127.0.0.1:5432: timeout", 0, "down", None),
        ("fail: oc_id: runsv not running", 4, "down", "fail: oc_id: runsv not running"),
        ("fail: oc_id: unable to change to service directory: file does not exist", 4, "down", None),
        ("warning: oc_id: unable to open supervise/ok: file does not exist", 4, "down", None),
        ("down: oc_id: 9s", 3, "kept_down", "oc_id"),
        ("down: oc_id: 9s; run: log: (pid 3) 9s", 3, "kept_down", "oc_id"),
        ("run: oc_id: (pid 4) 9000s, paused", 0, "ailing", "run: oc_id: (pid 4) 9000s, paused"),
        ("run: oc_id: (pid 4) 9000s, want down, got TERM", 0, "ailing", None),
        ("finish: bookshelf: (pid 4) 9s", 0, "ailing", "finish: bookshelf: (pid 4) 9s"),
        ("run: oc_id: (pid 4) 9000s, normally down", 0, "running", "oc_id"),
        ("run: oc-id", 0, "running", "oc-id"),
        ("run: rabbitmq: (pid 4) 9000s; down: log: 3s, normally up", 0, "mute", "rabbitmq"),
        ("run: rabbitmq: (pid 4) 5s; run: log: (pid 3) 13669s", 0, "restarted", "rabbitmq"),
    ],
)
def test_each_state_of_runit_is_told_apart(line: str, code: int, field: str, holds: str | None) -> None:
    found = getattr(status(line, code=code), field)
    assert (holds or line) in found


def test_services_that_were_all_started_at_once_were_not_started_again() -> None:
    text = f"{HEAD}run: nginx: (pid 3) 12s\nrun: oc_id: (pid 4) 11s\n"
    assert read_frontend_services(Answer(text, 0)).restarted == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        (HEAD + TAIL, 0),
        ("unsure: nginx\n", 0),
        ("run: nginx: (pid 1) 3s\n", 1),
        ("This command must be run as root\n", 1),
        ("warning: nginx: unable to open supervise/ok: access denied\n", 1),
        ("timeout: run: nginx: (pid 1) 3s, want down\n", 0),
    ],
)
def test_garbled_services_of_a_frontend_are_unreadable(text: str, code: int) -> None:
    with pytest.raises(UnreadableError, match="chef-server-ctl status"):
        read_frontend_services(Answer(text, code))


def test_a_status_that_ended_early_says_why() -> None:
    with pytest.raises(UnreadableError, match="exit code 1 although nothing is down: NoMethodError"):
        status(code=1, errors="undefined\nNoMethodError: external_status_opscode_solr4\n")


def test_the_answer_of_a_frontend_is_read(play: Play) -> None:
    body = '{"status":"fail","upstreams":{"chef_sql":"fail","oc_chef_authz":"pong"}}'
    found = read_frontend_api(play(frontend.FRONTEND_API, curl=f"printf '{body}\\ncode 500\\n'"))
    asked = ("https://127.0.0.1:443/_status",)
    assert found == FrontendApi(
        code=500, status="fail", upstreams=(("chef_sql", "fail"), ("oc_chef_authz", "pong")), asked=asked
    )
    silent = read_frontend_api(play(frontend.FRONTEND_API, curl="printf '\\ncode 000 0.000000'; exit 7"))
    assert (silent.code, silent.status, silent.is_guess) == (0, "", True)
    assert read_frontend_api(Answer("none\n", 0)) == FrontendApi(code=None)


@pytest.mark.parametrize("code", ["301", "400", "404", "500", "502", "503", "504"])
@pytest.mark.parametrize(
    "body", ["", "<html>no</html>\n", '{"status":"pong"}\n', '{"status":"po', "[1]\n", '{"error":["x"]}\n']
)
def test_with_another_code_the_body_does_not_matter(code: str, body: str) -> None:
    assert read_frontend_api(Answer(f"{body}\ncode {code}\n", 0)) == FrontendApi(code=int(code))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ncode 200\n",
        "<html>\ncode 200\n",
        "{}\ncode 200\n",
        "[1]\ncode 200\n",
        '{"status":"pong"}\n',
        '{"status":"pong"}\ncode 200\n',
        '{"upstreams":{"chef_sql":"pong"}}\ncode 200\n',
        '{"status":"pong","upstreams":{"chef_sql":"po\ncode 200\n',
        '{"status":"pong","upstreams":["chef_sql"]}\ncode 200\n',
    ],
)
def test_a_garbled_answer_of_a_frontend_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="/_status is not understood"):
        read_frontend_api(Answer(text, 0))


CHEF_SERVER_RB = """\
fqdn "chef.corp.example"
use_chef_backend true
chef_backend_members ["10.0.0.11", "10.0.0.12", "10.0.0.13"]  # or 10.0.0.14

postgresql['db_superuser_password'] = 'chef_backend_members hunter2'
opscode_erchef['x'] = 'chef_backend_members'
"""


def test_only_the_one_setting_of_a_frontend_leaves_the_node(play: Play, tmp_path: Path) -> None:
    put(tmp_path, "/etc/opscode/chef-server.rb", CHEF_SERVER_RB)
    answer = play(frontend.FRONTEND_MEMBERS)
    assert answer.output == 'members ["10.0.0.11", "10.0.0.12", "10.0.0.13"]\nasked\n'
    assert read_frontend_members(answer) == FrontendMembers("listed", ("10.0.0.11", "10.0.0.12", "10.0.0.13"))


def test_a_frontend_without_the_setting_or_the_file(play: Play, tmp_path: Path) -> None:
    assert read_frontend_members(play(frontend.FRONTEND_MEMBERS)) == FrontendMembers("unset")
    put(tmp_path, "/etc/opscode/chef-server.rb", "# chef_backend_members ['10.0.0.11']\n")
    assert read_frontend_members(play(frontend.FRONTEND_MEMBERS)) == FrontendMembers("unset")


@pytest.mark.parametrize(
    ("line", "members"),
    [
        ("chef_backend_members = ['be1.corp.example', 'fe80::1']", ("be1.corp.example", "fe80::1")),
        ("chef_backend_members(%w(10.0.0.11 10.0.0.12))", ("10.0.0.11", "10.0.0.12")),
        ("  chef_backend_members %w{10.0.0.11};", ("10.0.0.11",)),
        ("chef_backend_members ['10.0.0.9']\nchef_backend_members ['10.0.0.11',]", ("10.0.0.11",)),
        ("chef_backend_members []", ()),
    ],
)
def test_the_ways_in_which_members_are_listed(play: Play, tmp_path: Path, line: str, members: tuple[str, ...]) -> None:
    put(tmp_path, "/etc/opscode/chef-server.rb", f"{line}\n")
    assert read_frontend_members(play(frontend.FRONTEND_MEMBERS)).members == members


@pytest.mark.parametrize("line", ["[", "['10.0.0.11',", "search(:node, 'x')", "['#{me}']", "[<b>]"])
def test_members_that_cannot_be_taken_apart_are_unclear(play: Play, tmp_path: Path, line: str) -> None:
    put(tmp_path, "/etc/opscode/chef-server.rb", f"chef_backend_members {line}\n")
    assert read_frontend_members(play(frontend.FRONTEND_MEMBERS)) == FrontendMembers("unclear")


@pytest.mark.parametrize("text", ["", "grep: x: Permission denied\nasked\n", "members ['a']\n", "hello\nasked\n"])
def test_garbled_members_are_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="chef_backend_members is not understood"):
        read_frontend_members(Answer(text, 0))


def test_members_behind_a_refusal_of_sudo_say_so() -> None:
    with pytest.raises(UnreadableError, match="sudo does not allow"):
        read_frontend_members(Answer("Sorry, user ops is not allowed to execute '/usr/bin/grep' as root\nasked\n", 0))
