from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView
from checks.outcome import Outcome, Status
from checks.secret_server.facts.folder import AppTree, FolderDigest
from checks.secret_server.files.app_files_match import judge

Clusters = Callable[..., ClusterInfo]
Webs = Callable[..., ClusterView]

SAME = {"\\saml.config": "1", "\\default.aspx": "2", "\\bin\\app.dll": "3", "\\bin\\other.dll": "4"}


def tree(
    files: Mapping[str, str] = SAME, *, left_out: tuple[str, ...] = (), stopped: str = "", named: bool = True
) -> AppTree:
    """The tree of a node that has `files`, each with a letter for its content."""
    folders = []
    for path in dict.fromkeys(name.rpartition("\\")[0] for name in files):
        inside = {name.rpartition("\\")[2]: mark for name, mark in files.items() if name.rpartition("\\")[0] == path}
        digest = hashlib.sha256("".join(sorted(name + mark for name, mark in inside.items())).encode()).hexdigest()
        partial = any(name.rpartition("\\")[0] == path for name in left_out)
        listed = tuple((name, mark * 8) for name, mark in inside.items()) if named else None
        folders.append(FolderDigest(path=path, digest=digest, count=len(inside), partial=partial, files=listed))
    reasons = tuple((name, "locked") for name in left_out)
    return AppTree(
        root="C:\\App", folders=tuple(folders), left_out=reasons, stopped=stopped, files=len(files), bytes=1000
    )


def judged(cluster: Clusters, webs: Webs, *trees: object, phase: str = "before") -> Outcome:
    return judge(webs(replace(cluster(), phase=phase), *trees))


def changed(name: str, mark: str = "f") -> AppTree:
    return tree({**SAME, name: mark})


def without(name: str) -> dict[str, str]:
    return {key: mark for key, mark in SAME.items() if key != name}


def test_the_same_files_pass(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, tree(), tree(), tree())
    assert outcome.status is Status.PASS
    assert outcome.message == "the same files on all 3 web nodes"


def test_the_outlier_and_its_file_are_named(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, tree(), tree(), changed("\\bin\\app.dll"))
    assert outcome.status is Status.FAIL
    assert outcome.message == "web3 differs from web1 and web2 in bin\\app.dll"
    assert outcome.evidence["different"] == ["\\bin\\app.dll"]


def test_another_saml_config_fails_and_comes_first(cluster: Clusters, webs: Webs) -> None:
    other = tree({**SAME, "\\saml.config": "e", "\\bin\\app.dll": "e"})
    assert judged(cluster, webs, tree(), other).message == "web1 against web2 in saml.config, bin\\app.dll"


def test_a_saml_config_that_was_not_copied_fails(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, tree(), tree(), tree(without("\\saml.config")))
    assert outcome.status is Status.FAIL
    assert outcome.message == "web3 differs from web1 and web2 in saml.config"


def test_a_file_that_only_some_have_warns(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, tree(), tree(), tree({**SAME, "\\bin\\old.dll": "9"}))
    assert outcome.status is Status.WARN
    assert outcome.message.startswith("bin\\old.dll not on all nodes (web3 differs from web1 and web2)")


def test_in_the_window_differences_warn(cluster: Clusters, webs: Webs) -> None:
    other = changed("\\bin\\app.dll")
    assert judged(cluster, webs, other, tree(), phase="window").status is Status.WARN
    assert judged(cluster, webs, other, tree(stopped="time"), phase="window").status is Status.ERROR
    assert judged(cluster, webs, other, tree(), phase="after").status is Status.FAIL


def test_many_differences_are_counted(cluster: Clusters, webs: Webs) -> None:
    many = {f"\\bin\\{number}.dll": "1" for number in range(9)}
    outcome = judged(cluster, webs, tree(many), tree(dict.fromkeys(many, "2")))
    assert outcome.message.endswith("bin\\4.dll and 4 more")


@pytest.mark.parametrize("stopped", ["time", "bytes", "files"])
def test_a_walk_that_reached_a_bound_is_no_pass(cluster: Clusters, webs: Webs, stopped: str) -> None:
    # Its folder was walked to the end: the file is missing, whatever was not reached.
    outcome = judged(cluster, webs, tree(), tree(without("\\saml.config"), stopped=stopped))
    assert outcome.status is Status.FAIL
    outcome = judged(cluster, webs, tree(), tree(stopped=stopped))
    assert outcome.status is Status.ERROR
    assert "web2: the bound of" in outcome.message


def test_folders_that_were_not_reached_are_not_missing(cluster: Clusters, webs: Webs) -> None:
    root_only = {name: mark for name, mark in SAME.items() if not name.startswith("\\bin")}
    outcome = judged(cluster, webs, tree(), tree(root_only, stopped="time"))
    assert outcome.status is Status.ERROR
    assert outcome.evidence["not_everywhere"] == []


def test_a_proven_difference_fails_though_the_walk_is_incomplete(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, changed("\\default.aspx"), tree(stopped="time"))
    assert outcome.status is Status.FAIL
    assert "the bound of 20 s" in outcome.message


def test_a_file_that_was_left_out_does_not_differ_and_is_no_pass(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, tree(), tree(without("\\bin\\app.dll"), left_out=("\\bin\\app.dll",)))
    assert outcome.status is Status.ERROR
    assert outcome.message == "cannot compare everything; web2: left out bin\\app.dll (locked)"


@pytest.mark.parametrize("left_out", ["\\saml.config", "\\bin\\"])
def test_what_was_left_out_is_not_missing(cluster: Clusters, webs: Webs, left_out: str) -> None:
    kept = {name: mark for name, mark in SAME.items() if not name.startswith(left_out)}
    outcome = judged(cluster, webs, tree(), tree(kept, left_out=(left_out,)))
    assert outcome.status is Status.ERROR
    assert outcome.message.startswith("cannot compare everything; web2: left out ")
    assert (outcome.evidence["different"], outcome.evidence["not_everywhere"]) == ([], [])


def test_what_was_left_out_elsewhere_excuses_nothing(cluster: Clusters, webs: Webs) -> None:
    lacking = tree(without("\\saml.config"), left_out=("\\bin\\app.dll",))
    assert judged(cluster, webs, tree(), lacking).status is Status.FAIL


def test_several_left_out_are_counted(cluster: Clusters, webs: Webs) -> None:
    kept = {name: mark for name, mark in SAME.items() if not name.startswith("\\bin")}
    outcome = judged(cluster, webs, tree(), tree(kept, left_out=("\\saml.config", "\\bin\\", "\\x")))
    assert "left out saml.config and 2 more (locked)" in outcome.message


def test_as_many_as_are_shown_are_all_of_them(cluster: Clusters, webs: Webs) -> None:
    five = {f"\\bin\\{number}.dll": "1" for number in range(5)}
    assert judged(cluster, webs, tree(five), tree(dict.fromkeys(five, "2"))).message.endswith("bin\\4.dll")


def test_too_many_files_to_name_still_differ_by_folder(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, tree(named=False), tree({**SAME, "\\bin\\app.dll": "f"}, named=False))
    assert outcome.status is Status.FAIL
    assert outcome.message == "web1 against web2 in bin\\"
    assert judged(cluster, webs, tree(named=False), tree()).status is Status.PASS


def test_an_unknown_node_leaves_it_open(cluster: Clusters, webs: Webs) -> None:
    assert judged(cluster, webs, tree(), tree(), (AppTree, "garbled")).status is Status.ERROR


def test_one_node_has_nothing_to_be_compared_with(cluster: Clusters, webs: Webs) -> None:
    assert judged(cluster, webs, tree()).status is Status.SKIP


def with_settings(mark: str) -> AppTree:
    return tree({**SAME, "\\web-log4net.config": mark, "\\web-auth.config": "2"})


def test_a_node_s_own_settings_warn_and_are_merged_not_copied(cluster: Clusters, webs: Webs) -> None:
    outcome = judged(cluster, webs, with_settings("a"), with_settings("b"), with_settings("a"))
    assert outcome.status is Status.WARN
    assert "web2 differs from web1 and web3 in web-log4net.config, which hold a node's own settings" in outcome.message
    assert outcome.remediation
    assert "line by line" in outcome.remediation.summary
    lacking = judged(cluster, webs, with_settings("a"), tree(), with_settings("a"))
    assert lacking.status is Status.WARN
    assert outcome.evidence["own"] == ["\\web-log4net.config"]


def test_a_file_of_the_application_fails_beside_a_node_s_own_settings(cluster: Clusters, webs: Webs) -> None:
    other = tree({**SAME, "\\web-log4net.config": "b", "\\web-auth.config": "2", "\\bin\\app.dll": "f"})
    outcome = judged(cluster, webs, with_settings("a"), other, with_settings("a"))
    assert outcome.status is Status.FAIL
    assert outcome.message == "web2 differs from web1 and web3 in bin\\app.dll"
    below = tree({**SAME, "\\bin\\web-log4net.config": "b"})
    assert judged(cluster, webs, below, tree({**SAME, "\\bin\\web-log4net.config": "a"})).status is Status.FAIL


def test_a_digest_that_differs_is_a_difference_whatever_the_marks_say(cluster: Clusters, webs: Webs) -> None:
    sound = tree()
    forged = replace(
        sound,
        folders=tuple(replace(one, digest="0" * 64) if one.path == "\\bin" else one for one in sound.folders),
    )
    outcome = judged(cluster, webs, sound, forged, sound)
    assert outcome.status is Status.FAIL
    assert outcome.message == "web2 differs from web1 and web3 in bin\\"


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_that_one_node_lacks_is_told(cluster: Clusters, webs: Webs, named: bool) -> None:
    more = tree({**SAME, "\\addon\\x.dll": "9"}, named=named)
    outcome = judged(cluster, webs, tree(named=named), tree(named=named), more)
    assert outcome.status is Status.WARN
    assert "addon\\" in outcome.message
    assert "not on all nodes (web3 differs from web1 and web2)" in outcome.message


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        (("\\bin\\app.dll",), True),
        (("\\other\\",), True),
        (("\\bin\\",), False),
        (("\\bin\\app.dll.config",), False),
    ],
)
def test_only_what_was_left_out_itself_is_not_missed(
    cluster: Clusters, webs: Webs, left_out: tuple[str, ...], told: bool
) -> None:
    more = tree({**SAME, "\\bin\\app.dll.config": "9"})
    outcome = judged(cluster, webs, more, more, tree(left_out=left_out))
    assert outcome.status is Status.ERROR
    assert ("\\bin\\app.dll.config" in outcome.evidence["not_everywhere"]) is told  # type: ignore[operator]


def test_what_was_left_out_is_counted(cluster: Clusters, webs: Webs) -> None:
    out = tuple(f"\\bin\\{name}.dll" for name in "abc")
    assert "left out bin\\a.dll and 2 more (locked)" in judged(cluster, webs, tree(), tree(left_out=out)).message
