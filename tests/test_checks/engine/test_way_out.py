"""What could not be told says what would let it be told: declaring it, clearing its cause, or leaving it out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import NOT_SELECTED
from checks.engine.ways_out import DECLARED, cause_of, remedy_of, way_out
from checks.facts import Contact, Unknown
from checks.outcome import Remediation, undetermined
from checks.scan import CONNECTIVITY
from tests.test_checks.engine.sizes import down, view

CLEAR = "Clear the cause named in the message, then scan again."
LEAVE = 'What can never be told here, leave out: [clusters.vault.skip] size = "why".'


@pytest.mark.parametrize(
    ("message", "summary"),
    [
        ("the registry is locked", CLEAR),
        ("say `efs` of the cluster", "Do as the message says of `efs` in the inventory, then scan again."),
        ('say `efs = "on"`', "Do as the message says of `efs` in the inventory, then scan again."),
        (
            "`web_root` and `sudo = true` and `web_root`",
            "Do as the message says of `web_root` and `sudo` in the inventory, then scan again.",
        ),
        # What is quoted and no key that tells what a node does not.
        ("`chronyc tracking` says nothing, nor does `dpapi`", CLEAR),
    ],
)
def test_what_the_message_names_is_to_be_declared(message: str, summary: str) -> None:
    assert way_out("size", "vault", undetermined(message)).summary == f"{summary} {LEAVE}"


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_every_key_that_lets_something_be_told_is_known(key: str) -> None:
    assert f"says of `{key}` in the inventory" in way_out("size", "vault", undetermined(f"set `{key}`")).summary


def test_a_remedy_of_its_own_goes_before() -> None:
    own = Remediation("Unlock it.", "unlock", url="https://a", language="sh")
    found = way_out("size", "vault", undetermined("`efs` is locked", remediation=own))
    assert found == replace(own, summary=f"Unlock it. {LEAVE}")


def test_what_can_never_be_left_out_is_not_told_to_be() -> None:
    assert way_out(CONNECTIVITY, "vault", undetermined("connection refused")).summary == CLEAR


def test_a_name_with_a_dot_is_quoted_as_toml_wants_it() -> None:
    assert '[clusters."a.b".skip] size = "why"' in way_out("size", "a.b", undetermined("hm")).summary


def test_the_cause_of_a_gap_is_the_conversation_the_selection_or_the_end_of_the_run() -> None:
    silent = Unknown("no word", unanswered=True)
    assert cause_of(down("web2")) == "connectivity:web2"
    assert cause_of(view("web2", silent, NOT_SELECTED)) == "selection:web2"
    assert cause_of(view("web2", silent, "interrupted")) == "interruption:web2"
    met = Contact(host="web2", transport="winrm", failure=None, asked=2, answered=1)
    partly = replace(view("web2", silent, "no answer to disks"), facts={Contact: met})
    assert cause_of(partly) == "connectivity:web2"


def test_of_several_causes_each_says_what_to_do_once() -> None:
    found = remedy_of(["selection:web3", "connectivity:web1", "connectivity:web2", "unnamed:vault"])
    assert found.summary == (
        "Clear what connectivity says of web1 and web2, then scan again. "
        "Scan again with web3 selected, too: nobody was asked there. "
        "Name every machine of vault with a --host of its own and say --whole, or scan an inventory that names them."
    )
