"""What the functions of a plugin's product do, whatever it is, costs no more than what they were asked for."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from checks.baseline.snapshot import take_snapshot
from checks.check import ClusterInfo, NodeCheck, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.engine.identity import Identity, without_strangers
from checks.engine.installed_version import installed
from checks.facts import Contact, Unknown
from checks.outcome import Remediation, Severity, Status, passed
from checks.product import Product, identity_of
from checks.registry import BUILTIN, PRODUCTS
from checks.runbook.build import plan_of
from checks.runbook.following import followed, see, told
from checks.runbook.model import Part, Refusal, Runbook, Step
from checks.runbook.signs import Kind, Seen, Sign, State, done
from checks.runbook.writer import RefusedError, RunbookWriter, Sizes, Written
from checks.versions import Installed, VersionError
from scanner.errors import InventoryError
from scanner.inventory.loaded import Loaded
from scanner.inventory.select import select
from scanner.inventory.settings.catalogue import ProductSettings, catalogue_of
from scanner.inventory.writing.template import template
from scanner.loading.inventory import parse_inventory
from scanner.loading.registry import known_drift_rules
from scanner.plugins import Plugin, load_plugins
from scanner.probes.probe import Answer, Probe
from scanner.probes.registry import BUILTIN as PROBES
from scanner.run.prepare import build_request


@dataclass(frozen=True, slots=True)
class Version:
    text: str


def read_version(answer: Answer) -> Version:
    return Version(answer.output)


def read_installed(view: NodeView) -> Installed:
    return Installed(version=view.require(Version).text, read=True)


def write(*_: object) -> Written:
    return Written(parts=(Part("One", (Step(id="one", title="Do it"),)),))


def signs(step: Step, *_: object, **__: object) -> tuple[tuple[Sign, ...], str]:
    return (Sign("runs", ("a",), {}),), ""


CHECK = NodeCheck(
    id="pulse-beats",
    title="It beats",
    severity=Severity.LOW,
    doc="x",
    remediation=Remediation("Start it."),
    products=("pulse",),
    judge=lambda _: passed("it does"),
)
RUNS = Kind(facts=(Version,), judge=lambda *_: done("it runs"), told=lambda _: "it runs")
RUNBOOK = RunbookWriter(write=write, signs=signs, kinds={"runs": RUNS})
PULSE = Product(
    name="pulse",
    title="Pulse",
    roles={"heart": "beats"},
    version_example="2.0",
    carrier="heart",
    read_installed=read_installed,
    installed_facts=(Version,),
    runbook=RUNBOOK,
    checks=(CHECK,),
)
PROBE = Probe(id="pulse-version", language="sh", purpose="p", script="echo", readers=((Version, read_version),))
INVENTORY = '[clusters.c]\nproduct = "pulse"\ntarget = "2.0"\n[clusters.c.nodes.a]\nhost = "a"\nroles = ["heart"]\n'


def entry(plugin: object, monkeypatch: pytest.MonkeyPatch, module: str = "pulse") -> importlib.metadata.EntryPoint:
    made = ModuleType(f"preflight_test_{module}")
    vars(made)["PLUGIN"] = plugin
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return importlib.metadata.EntryPoint("pulse", f"{made.__name__}:PLUGIN", "preflight.checks")


def load(monkeypatch: pytest.MonkeyPatch, *plugins: object) -> Loaded:
    own = Loaded(checks=BUILTIN, probes=PROBES, products=PRODUCTS)
    entries = [entry(plugin, monkeypatch, f"pulse{number}") for number, plugin in enumerate(plugins)]
    return load_plugins([], entries, known=own)


def taken(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Product:
    found = load(monkeypatch, Plugin(products=(replace(PULSE, **fields),), probes=(PROBE,)))
    assert not found.failures
    return found.products[0]


def node(product: Product, version: str | Unknown = "1.0") -> NodeView:
    info = ClusterInfo("c", product.name, target="2.0", definition=product)
    told = version if isinstance(version, Unknown) else Version(version)
    contact = Contact(host="a", transport="ssh", failure=None, asked=1, answered=1)
    return NodeView(
        cluster=info, name="a", host="a", roles=frozenset({"heart"}), facts={Version: told, Contact: contact}
    )


def plan(product: Product) -> Refusal | Runbook:
    view = node(product)
    return plan_of(GatheredCluster(view.cluster, (view,), frozenset({"a"})), (), "i.toml")


def boom(*_: object, **__: object) -> NoReturn:
    raise IndexError("boom")


def leave(*_: object, **__: object) -> NoReturn:
    raise SystemExit(0)


def seven(*_: object, **__: object) -> int:
    return 7


BAD: list[tuple[Callable[..., Any], str]] = [
    (boom, "failed, which is a defect of it: IndexError: boom"),
    (leave, "failed, which is a defect of it: SystemExit: 0"),
    (seven, "is defective: what it gave = 7, where"),
]
bad = pytest.mark.parametrize(("function", "said"), BAD, ids=["raises", "leaves", "gives nonsense"])


@bad
def test_a_version_that_is_not_read_is_unknown(
    function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = installed(node(taken(monkeypatch, read_installed=function)))
    assert (found.version, found.read) == (None, False)
    assert f"read_installed of the product pulse {said}" in found.problem
    declared = replace(node(taken(monkeypatch, read_installed=function)), current="1.0")
    assert installed(declared).version == "1.0"


@bad
def test_that_the_version_cannot_be_read_for_a_defect_is_no_go(
    function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No check of the product reads it, and all of them pass."""
    view = node(taken(monkeypatch, read_installed=function))
    rows = evaluate([CHECK], [GatheredCluster(view.cluster, (view,), frozenset({"a"}))])
    assert [(row.check, row.status) for row in rows] == [
        ("pulse-beats", Status.PASS),
        ("product-pulse", Status.ERROR),
    ]
    assert said in rows[1].message
    sound = node(taken(monkeypatch), Unknown("garbled"))
    (only,) = evaluate([CHECK], [GatheredCluster(sound.cluster, (sound,), frozenset({"a"}))])
    assert only.status is Status.PASS, "that a node does not tell it is for the checks that go by it"


def test_a_reader_of_the_version_may_ask_for_a_fact_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    product = taken(monkeypatch)
    assert installed(node(product)).version == "1.0"
    assert installed(node(product, Unknown("garbled"))).problem == "garbled"


@bad
def test_a_machine_that_cannot_be_told_from_others_is_not_judged(
    function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = taken(monkeypatch, identity=Identity((Version,), function))
    view = without_strangers(node(product), identity_of(product))
    contact = view.require(Contact)
    assert f"identity.stranger of the product pulse {said}" in (contact.failure or "")
    assert isinstance(view.get(Version), Unknown)
    (row,) = evaluate([replace(CHECK, facts=(Version,))], [GatheredCluster(view.cluster, (view,), frozenset({"a"}))])
    assert (row.status, row.not_evaluated, row.follows) == (Status.SKIP, True, ("connectivity:a",))


def test_a_text_that_its_parser_breaks_on_is_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from packaging.version import Version as Packaged

    product = taken(monkeypatch, parse=lambda text: Packaged(f"{text}.{text.split('.')[1]}"), version_pattern=".*")
    assert str(product.parse("2.0")) == "2.0.0"
    with pytest.raises(VersionError, match=r"'3' is no version of pulse \(IndexError"):
        product.parse("3")
    hash(product.parse)


@bad
@pytest.mark.parametrize("field", ["write", "refuse", "refuse_from", "signs", "sizes"])
def test_a_plan_that_cannot_be_written_is_none(
    field: str, function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {name: getattr(RUNBOOK, name) for name in ("write", "signs", "kinds")} | {field: function}
    found = plan(taken(monkeypatch, runbook=RunbookWriter(**broken)))
    assert isinstance(found, Refusal)
    assert f"runbook.{field} of the product pulse {said}" in found.reason
    assert found.verdict == "UNKNOWN"


@bad
def test_an_index_that_is_not_read_leaves_no_way(
    function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plan(taken(monkeypatch, read_index=function))
    assert isinstance(found, Refusal)
    assert f"read_index of the product pulse {said}" in found.reason


def test_what_a_writer_may_say_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise RefusedError("the moon is full", "Wait.")

    found = plan(taken(monkeypatch, runbook=RunbookWriter(write=write, refuse=refuse)))
    assert isinstance(found, Refusal)
    assert found.reason == "the moon is full"
    sound = plan(taken(monkeypatch, runbook=replace(RUNBOOK, sizes=lambda _: Sizes())))
    assert isinstance(sound, Runbook)


@bad
def test_a_sign_that_cannot_be_judged_cannot_be_told(
    function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = replace(RUNS, judge=function, told=function)
    product = taken(monkeypatch, runbook=replace(RUNBOOK, kinds={"runs": kind}))
    found = plan(product)
    assert isinstance(found, Runbook)
    (step,) = followed(found)
    seen: Seen = see(step, {"a": node(product)}, lambda _: done("x"))
    assert seen.state is State.CANNOT_TELL
    assert f"runbook.kinds[runs].judge of the product pulse {said}" in seen.words
    assert said in told(step.signs[0])


@bad
def test_an_example_that_cannot_be_written_is_written_the_usual_way(
    function: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = ProductSettings(product="pulse", example=function)
    found = load(monkeypatch, Plugin(products=(PULSE,), probes=(PROBE,), settings=(brought,)))
    text = template(catalogue_of({"pulse": found.products[0]}, found.settings))
    assert said.split(":", maxsplit=1)[0] in " ".join(text.replace("\n# ", " ").split())
    assert "[clusters.pulse-prod.nodes.heart-1]" in text


def test_the_version_is_asked_for_and_kept_whether_a_check_reads_it_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = entry(Plugin(products=(PULSE,), probes=(PROBE,)), monkeypatch)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (brought,))
    job = build_request(select(parse_inventory(INVENTORY, Path("i.toml"))))
    assert "pulse-version" in {probe.id for call in job.calls() for probe in call.probes}
    alone = build_request(select(parse_inventory(INVENTORY, Path("i.toml"))), only=("connectivity",))
    assert "pulse-version" not in {probe.id for call in alone.calls() for probe in call.probes}
    ((_, info),) = job.clusters
    view = replace(node(PULSE), cluster=info)
    kept = take_snapshot(
        [GatheredCluster(info, (view,), frozenset({"a"}))], {("c", "a")}, job.checks, (), known_drift_rules()
    )
    assert {place.path: value for place, value in kept.facts.items()} == {"version.text": "1.0"}


def test_what_a_plugin_prints_as_it_loads_is_no_output_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offered() -> Plugin:
        print("hello")  # noqa: T201
        return Plugin(products=(PULSE,), probes=(PROBE,))

    assert not load(monkeypatch, offered).failures
    assert capsys.readouterr() == ("", "hello\n")


def test_two_packages_of_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = load(monkeypatch, None, Plugin(products=(PULSE,)), Plugin(products=(PULSE,))).failures
    assert len({row.check for row in rows}) == len(rows) == 3
    assert all(row.check.startswith("plugin-pulse-") for row in rows)


def test_an_inventory_of_a_product_that_did_not_load_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = entry(boom, monkeypatch)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (brought,))
    two = f'{INVENTORY}[clusters.c.nodes.b]\nhost = "a"\nroles = ["heart"]\n'
    with pytest.raises(InventoryError) as refused:
        parse_inventory(two, Path("i.toml"))
    assert [problem.message.partition(":")[0] for problem in refused.value.problems] == [
        "what is written there (not shown",
        "plugin-pulse",
    ], "and nothing of machines, whose ports nobody knows"
    assert "IndexError: boom" in str(refused.value)
