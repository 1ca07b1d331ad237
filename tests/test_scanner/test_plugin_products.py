"""Products of plugins: one that cannot be is refused, and what a plugin asks for and nothing knows is an error."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from checks.check import NodeCheck
from checks.common import disk_space
from checks.outcome import Remediation, Severity, Status, passed
from checks.product import Product
from checks.registry import BUILTIN, PRODUCTS
from checks.runbook.following import KINDS, kinds_of
from checks.runbook.signs import Kind, cannot_tell
from checks.runbook.writer import RunbookWriter, Written
from scanner.inventory.loaded import Loaded
from scanner.inventory.settings.catalogue import ProductSettings
from scanner.inventory.settings.setting import Setting
from scanner.lab.scenario import ScenarioError, load_scenario, scenario_names
from scanner.loading.inventory import parse_inventory
from scanner.loading.registry import known_drift_rules
from scanner.plugins import Plugin, known, load_plugins
from scanner.probes.probe import Answer, Probe
from scanner.probes.registry import BUILTIN as PROBES


@dataclass(frozen=True, slots=True)
class Beat:
    count: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """A fact that no probe gives."""

    count: int


AlsoContact = make_dataclass("Contact", ["count"], frozen=True)
"""A fact of a name that another one has."""


def read_beat(answer: Answer) -> Beat:
    return Beat(int(answer.output))


CHECK = NodeCheck(
    id="heart-beats",
    title="It beats",
    severity=Severity.LOW,
    doc="x",
    remediation=Remediation("Start it."),
    products=("heart",),
    roles=("left",),
    facts=(Beat,),
    judge=lambda _: passed("it does"),
)
PROBE = Probe(id="beat", language="sh", purpose="p", script="echo 1", readers=((Beat, read_beat),))
HEART = Product(name="heart", title="Heart", roles={"left": "pumps", "right": "pumps too"}, checks=(CHECK,))
WHOLE = Plugin(products=(HEART,), probes=(PROBE,))


def entry(plugin: object, monkeypatch: pytest.MonkeyPatch, name: str = "x") -> importlib.metadata.EntryPoint:
    module = ModuleType(f"preflight_test_{name}")
    vars(module)["PLUGIN"] = plugin
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return importlib.metadata.EntryPoint(name, f"{module.__name__}:PLUGIN", "preflight.checks")


def load(monkeypatch: pytest.MonkeyPatch, *plugins: object) -> Loaded:
    own = Loaded(checks=BUILTIN, probes=PROBES, products=PRODUCTS)
    entries = [entry(plugin, monkeypatch, f"x{number}") for number, plugin in enumerate(plugins)]
    return load_plugins([each.id for each in (*BUILTIN, *PROBES)], entries, known=own)


def package(monkeypatch: pytest.MonkeyPatch, folder: Path, **files: str) -> str:
    """A Python package with data in it: `rules`, `drift`."""
    name = f"preflight_test_data_{folder.name.replace('-', '_')}"
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    for kind, text in files.items():
        (folder / name / f"{kind}.toml").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return name


def test_a_whole_product_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = load(monkeypatch, WHOLE)
    assert not taken.failures
    assert taken.products == (HEART,)
    assert taken.checks == (CHECK,)


def test_an_inventory_may_name_it_and_is_held_to_its_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = entry(WHOLE, monkeypatch)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (brought,))
    text = '[clusters.c]\nproduct = "heart"\n[clusters.c.nodes.n]\nroles = ["ROLE"]\n'
    (cluster,) = parse_inventory(text.replace("ROLE", "left"), Path("i.toml")).clusters
    assert (cluster.product, cluster.nodes[0].roles) == ("heart", ("left",))
    with pytest.raises(Exception, match='did you mean "left"'):
        parse_inventory(text.replace("ROLE", "lefft"), Path("i.toml"))
    assert [product.name for product in known().brought] == ["heart"]
    assert "beat.count" in known_drift_rules().fields


def test_a_check_that_it_shares_is_one_check_with_a_part_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = next(check for check in PRODUCTS[0].checks if check.id == disk_space.ID)
    mine = replace(shared, products=("heart",), roles=("right",), facts=(Beat,), optional_facts=(), parts={})
    brought = entry(replace_checks(CHECK, mine), monkeypatch)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (brought,))
    found = known()
    assert not found.failures
    (whole,) = [check for check in found.checks if check.id == shared.id]
    assert {product.name for product in PRODUCTS} | {"heart"} == set(whole.products)
    assert (whole.for_product("heart").roles, whole.for_product("heart").facts) == (("right",), (Beat,))
    assert whole.for_product(PRODUCTS[0].name).facts == shared.facts


def stranger(thing: Any) -> Any:
    """What a foreign module may put where something else belongs."""
    return thing


def other_heart(**fields: Any) -> Product:
    return replace(HEART, **fields)


def settings_of_heart(**more: Any) -> ProductSettings:
    return ProductSettings(product="heart", node=(Setting(name="rate", doc="Beats a minute.", **more),))


def replace_checks(*checks: NodeCheck | Any) -> Plugin:
    return Plugin(products=(replace(HEART, checks=tuple(checks)),), probes=(PROBE,))


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            replace_checks(replace(CHECK, roles=("lefft",))),
            "is for the role 'lefft'; did you mean \"left\"?",
        ),
        (replace_checks(replace(CHECK, facts=(Unheard,))), "check heart-beats reads Unheard, which no probe gives"),
        (replace_checks(replace(CHECK, optional_facts=(Unheard,))), "check heart-beats reads Unheard"),
        (replace_checks(replace(CHECK, products=("heart", "liver"))), "check heart-beats is for the product 'liver'"),
        (Plugin((replace(CHECK, products=("chef-backand",), roles=()),), (PROBE,)), 'did you mean "chef-backend"?'),
        (Plugin((replace(CHECK, products=("chef-backend",), roles=("left",)),), (PROBE,)), "for the role 'left'"),
        (replace(WHOLE, probes=(replace(PROBE, roles=("lefft",)),)), "probe beat is for the role 'lefft'"),
        (
            replace(WHOLE, settings=(ProductSettings(product="hart"),)),
            "for the product 'hart'; did you mean \"heart\"?",
        ),
        (replace(WHOLE, products=(replace(HEART, installed_facts=(Unheard,)),)), "product heart reads Unheard"),
        (replace(WHOLE, products=(replace(HEART, index_facts=(Unheard,)),)), "product heart reads Unheard"),
        (replace(WHOLE, products=(replace(HEART, doubts_told_by="heart-beat"),)), 'did you mean "heart-beats"?'),
        (replace(WHOLE, probes=(replace(PROBE, parameters=("rate",)),)), "probe beat is given the option 'rate'"),
        (replace(WHOLE, probes=(replace(PROBE, language="powershell"),)), "reads Beat, which a powershell probe gives"),
        (
            replace(WHOLE, probes=(PROBE, replace(PROBE, id="beat-2", readers=((AlsoContact, read_beat),)))),
            "probe beat-2 gives another fact of the name contact, which is taken",
        ),
        (
            replace(WHOLE, settings=(settings_of_heart(roles=("lefft",)),)),
            "the key rate is for the role 'lefft'; did you mean \"left\"?",
        ),
        (
            replace(WHOLE, settings=(replace(settings_of_heart(), example_nodes={"lefft": ("l",)}),)),
            "example_nodes has the role 'lefft'; did you mean \"left\"?",
        ),
    ],
)
def test_what_nothing_knows_is_an_error_in_every_report(
    plugin: Plugin, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = load(monkeypatch, plugin)
    (failure,) = taken.failures
    assert (failure.check, failure.status, failure.not_evaluated) == ("plugin-x0", Status.ERROR, True)
    assert "nothing knows what it asks for" in failure.message
    assert said in failure.message
    assert [check.id for check in taken.checks] == ["heart-beats"], "the rest of it is judged all the same"


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (replace(WHOLE, products=(stranger(7),)), "offers int among its products"),
        (replace(WHOLE, products=(HEART, replace(HEART, checks=()))), "product heart: this name is taken"),
        (replace_checks(replace(CHECK, id=disk_space.ID)), "disk-space: this id is taken"),
        (replace_checks(CHECK, CHECK), "heart-beats: this id is taken"),
        (replace_checks(7), "product heart: int is among its checks"),
        (replace_checks(replace(CHECK, products=("chef-backend",))), "heart-beats is not for it"),
        *(
            (replace(WHOLE, products=(other_heart(**{key: stranger(value)}),)), said)
            for key, value, said in (
                ("name", PRODUCTS[0].name, "is not for it"),
                ("name", "My Heart", "a name is of small letters"),
                ("roles", {}, "it has no roles"),
                ("essential_roles", frozenset({"lung"}), "essential_roles names 'lung', which is none of its roles"),
                ("tds_roles", ("lung",), "tds_roles names 'lung'"),
                ("carrier", "lung", "carrier names 'lung'"),
                ("platform", "solaris", "platform = 'solaris' is none of linux, windows"),
                ("transports", (), "there are winrm, ssh, local, tds"),
                ("transports", ("telnet",), "transports = ('telnet',)"),
                ("version_example", "new", "new"),
                ("version_pattern", "[a-z]+", "version_pattern does not match its own example"),
                ("package", "preflight_no_such_package", "the data in its package preflight_no_such_package"),
                ("title", "", "title = '' is no line"),
                ("title", None, "products[heart].title = None, where str belongs"),
                ("roles", ["left"], "products[heart].roles = ['left'], where Mapping[str, str] belongs"),
                ("roles", {"left": None}, "products[heart].roles['left'] = None, where str belongs"),
                ("roles", {"left": "pumps", "right side": "pumps"}, "role 'right side': small letters"),
                ("checks", [CHECK], "products[heart].checks = [NodeCheck("),
                ("transports", "ssh", "products[heart].transports = 'ssh', where tuple[str, ...] belongs"),
                ("read_installed", None, "products[heart].read_installed = None, where a function belongs"),
                ("parse", lambda _: None, "parse gives NoneType, not a Version"),
                ("version_pattern", "(", "unterminated subpattern"),
                ("identity", 7, "products[heart].identity = 7, where Identity | None belongs"),
                ("runbook", 7, "products[heart].runbook = 7, where RunbookWriter | None belongs"),
                ("documents", {"X": "y"}, "products[heart].documents['X'] = 'y', where tuple[str, str] belongs"),
                (
                    "runbook",
                    RunbookWriter(write=lambda *_: Written(parts=()), facts={"lung": (Beat,)}),
                    "the runbook's facts names 'lung', which is none of its roles",
                ),
            )
        ),
        *(
            (replace_checks(replace(CHECK, **{key: stranger(value)})), said)
            for key, value, said in (
                ("id", None, "checks[0].id = None, where str belongs"),
                ("id", "", "check '': an id is of small letters"),
                ("id", "Heart Beats", "check 'Heart Beats': an id is of small letters"),
                ("title", None, "checks[heart-beats].title = None, where str belongs"),
                ("title", "It\nbeats", "title = 'It\\nbeats' is no line"),
                ("doc", None, "checks[heart-beats].doc = None, where str belongs"),
                ("severity", "high", "checks[heart-beats].severity = 'high', where Severity belongs"),
                ("remediation", "Start it.", "remediation = 'Start it.', where Remediation belongs"),
                ("remediation", Remediation("x", "y", language="fish"), "language = 'fish' is none of cmd,"),
                ("references", (7,), "references[0] = 7, where str belongs"),
                ("facts", ("Beat",), "facts[0] = 'Beat', where a class belongs"),
                ("facts", (int,), "check heart-beats: int is no fact"),
                ("phases", {"befor": "x"}, "phases names 'befor', which is none of before, window, after"),
                ("judge", None, "checks[heart-beats].judge = None, where a function belongs"),
            )
        ),
        *(
            (replace(WHOLE, probes=(replace(PROBE, **{key: stranger(value)}),)), said)
            for key, value, said in (
                ("id", "The beat", "probe 'The beat': an id is of small letters"),
                ("language", "bash", "probes[beat].language = 'bash' is none of sh, powershell, tds"),
                ("script", None, "probes[beat].script = None, where str belongs"),
                ("script", "echo \0", "probe beat: its script has a character of the value 0"),
                ("readers", None, "probes[beat].readers = None, where tuple[tuple[type, "),
                ("readers", (Beat,), "probes[beat].readers[0] = "),
                ("readers", (("Beat", read_beat),), "probes[beat].readers[0][0] = 'Beat', where a class belongs"),
                ("readers", ((Beat, None),), "probes[beat].readers[0][1] = None, where a function belongs"),
                ("readers", ((int, read_beat),), "probe beat: int is no fact"),
                ("timeout_s", "30", "probes[beat].timeout_s = '30', where int belongs"),
                ("timeout_s", True, "probes[beat].timeout_s = True, where int belongs"),
            )
        ),
        *(
            (replace(WHOLE, settings=(ProductSettings(product="heart", node=(key,)),)), said)
            for key, said in (
                (Setting(name="the rate", doc="x"), "'the rate' is no key of an inventory"),
                (Setting(name="rate", doc="x", pattern="("), "key rate has a pattern that is none"),
                (Setting(name="rate", doc="x", platforms=("mac",)), "key rate is for the platform 'mac'"),
                (
                    Setting(name="rate", doc="x", default="c", choices=("a", "b")),
                    'key rate does not take its own default: "c" is none of a, b',
                ),
                (
                    Setting(name="rate", doc="x", kind="integer", example=0, least=1),
                    "key rate does not take its own example: 0 is out of range",
                ),
                (Setting(name="rate", doc="x", kind=stranger("color")), "node[rate].kind = 'color' is none of text"),
            )
        ),
        (replace(WHOLE, checks=stranger(None)), "checks is no tuple, but NoneType"),
        (replace(WHOLE, settings=stranger({})), "settings is no tuple, but dict"),
    ],
)
def test_a_product_that_cannot_be_is_refused_whole(plugin: Plugin, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = load(monkeypatch, plugin)
    (failure,) = taken.failures
    assert (failure.check, failure.status) == ("plugin-x0", Status.ERROR)
    assert "did not load, so its checks are missing" in failure.message
    assert said in failure.message
    assert (taken.checks, taken.products, taken.probes) == ((), (), ())


def test_no_plugin_takes_the_place_of_a_product_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    builtin = PRODUCTS[0].name
    theirs = replace(HEART, name=builtin, checks=(replace(CHECK, products=(builtin,)),))
    taken = load(monkeypatch, replace(WHOLE, products=(theirs,)), WHOLE, Plugin(products=(replace(HEART, checks=()),)))
    assert [failure.check for failure in taken.failures] == ["plugin-x0", "plugin-x2"]
    assert f"product {builtin}: this name is taken" in taken.failures[0].message
    assert "product heart: this name is taken" in taken.failures[1].message
    assert taken.products == (HEART,)


RULE = """
[[rule]]
id = "a"
check = "heart-beats"
target = ">=1"
requires = "1"
text = "t"
effect = "warn"
source = "s"
confidence = "inferred"
"""


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"rules": "[[rule]"}, "the data in its package"),
        ({"rules": '[[rule]]\nid = "a"\n'}, "the data in its package"),
        ({"drift": "[beat"}, "the data in its package"),
        ({"drift": '[beat]\n"count" = { compare = "guess", reason = "r" }\n'}, "the data in its package"),
    ],
)
def test_data_that_cannot_be_used_is_an_error_and_names_its_package(
    files: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = package(monkeypatch, tmp_path, **files)
    taken = load(monkeypatch, replace(WHOLE, products=(replace(HEART, package=name),)))
    (failure,) = taken.failures
    assert f"product heart: {said} {name}" in failure.message
    assert not taken.checks


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"rules": RULE.replace("heart-beats", "heart-beat")},
            "check 'heart-beat'; did you mean \"heart-beats\"?",
        ),
        ({"drift": '[beat]\n"pulse" = { compare = "exact", reason = "r" }\n'}, "drift.toml of heart: "),
    ],
)
def test_data_about_what_is_not_there_is_an_error(
    files: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = package(monkeypatch, tmp_path, **files)
    taken = load(monkeypatch, replace(WHOLE, products=(replace(HEART, package=name),)))
    (failure,) = taken.failures
    assert said in failure.message
    assert taken.checks == (CHECK,)


def test_the_code_of_a_plugin_runs_once_however_often_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Counted(importlib.metadata.EntryPoint):
        def load(self) -> object:
            asked.append(self.name)
            raise ImportError("slow, and broken")

    counted = Counted("counted", "counted:PLUGIN", "preflight.checks")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (counted,))
    first, second = known().failures, known().failures
    assert [row.check for row in second] == ["plugin-counted"]
    assert first == second
    assert asked == ["counted"]


def signed(name: str, *kinds: str) -> Plugin:
    """A product whose runbook has signs of these kinds."""
    kind = Kind(facts=(Beat,), judge=lambda *_: cannot_tell("x"), told=lambda _: "x")
    runbook = RunbookWriter(write=_never_written, kinds=dict.fromkeys(kinds, kind))
    return Plugin(products=(Product(name=name, title=name, roles={"a": "b"}, runbook=runbook),))


def _never_written(*_: object) -> Written:
    raise NotImplementedError


def test_a_kind_of_signs_of_another_product_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = next(iter(KINDS))
    found = load_plugins(
        [],
        [
            entry(signed("first", "ticks"), monkeypatch, "a"),
            entry(signed("second", "ticks"), monkeypatch, "b"),
            entry(signed("third", taken), monkeypatch, "c"),
        ],
    )
    assert [product.name for product in found.products] == ["first"]
    assert [row.message.partition("TypeError: ")[2] for row in found.failures] == [
        "the kind of signs ticks: this name is taken",
        f"the kind of signs {taken}: this name is taken",
    ]
    assert set(kinds_of((*PRODUCTS, *found.products))) == {*KINDS, "ticks"}


def test_a_scenario_of_a_product_s_own_is_found_and_one_that_is_called_like_a_built_in_one_is_neither(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "heart_package" / "scenarios"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in ("heart-healthy", "chef-healthy"):
        (folder / f"{name}.toml").write_text(
            'title = "A heart"\n[clusters.h]\nproduct = "heart"\n[clusters.h.nodes.n]\n'
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    product = replace(HEART, package="heart_package")
    everything = replace(known(), products=(*known().products, product))
    monkeypatch.setattr("scanner.loading.registry.known", lambda: everything)
    assert scenario_names().count("chef-healthy") == scenario_names().count("heart-healthy") == 1
    (cluster,) = load_scenario("heart-healthy").clusters
    assert (cluster.product, cluster.nodes[0].transport) == ("heart", "ssh")
    with pytest.raises(ScenarioError, match="'chef-healthy' comes with preflight and with a plugin"):
        load_scenario("chef-healthy")
