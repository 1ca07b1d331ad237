"""A key is declared once, and that is enough: it is read, refused, completed and explained everywhere."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scanner.errors import InventoryError
from scanner.inventory.loaded import Loaded
from scanner.inventory.product_settings.known import BUILTIN, catalogue
from scanner.inventory.products import Product
from scanner.inventory.settings.catalogue import Catalogue, ProductSettings, refuse_clashes
from scanner.inventory.settings.setting import secret_setting, setting, settings_of, typed
from scanner.inventory.settings.ssh import SshSettings
from scanner.inventory.settings.transports import MODELS, TRANSPORTS
from scanner.inventory.writing.schema import inventory_schema
from scanner.inventory.writing.template import short_template, template
from scanner.loading.inventory import parse_inventory
from scanner.plugins import Plugin, load_plugins
from tests.keys_page import reference
from tests.test_scanner.conftest import Preflight

HERE = Path("inventory.toml")
DOC = "How many bells ring when it is over."


@dataclass(frozen=True, kw_only=True)
class ToySsh(SshSettings):
    """The keys of SSH, and one more."""

    bells: int = setting(3, doc=DOC, least=1, most=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeKeys:
    """Of a forge's clusters."""

    mirror: str = setting("off", doc="Whether a mirror is kept.", choices=("on", "off"))
    ticket: str = setting("", doc="The change's ticket.", example="CHG-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeNodeKeys:
    """Of its nodes."""

    http_port: int = setting(3000, doc="Where it listens.", least=1, most=65535, roles=("app",))
    rack: str = setting("", doc="Where it stands.", example="A7")


FORGE = Product(name="forge", title="Forge", roles={"app": "serves it", "runner": "builds"}, transports=("ssh",))
FORGE_SETTINGS = ProductSettings(product="forge", cluster=settings_of(ForgeKeys), node=settings_of(ForgeNodeKeys))
KNOWN = catalogue([FORGE], [FORGE_SETTINGS])
FORGES = "[clusters.f]\nproduct = 'forge'\n{cluster}\n[clusters.f.nodes.one]\nroles = ['{role}']\n{node}\n"


def said_of(text: str, *, forge: bool = True) -> str:
    with pytest.raises(InventoryError) as refused:
        parse_inventory(text, HERE, [FORGE], [FORGE_SETTINGS]) if forge else parse_inventory(text, HERE)
    return str(refused.value)


def test_a_key_of_a_transport_takes_one_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file that declares it, a field; here, the same in a copy."""
    monkeypatch.setitem(MODELS, "ssh", ToySsh)
    monkeypatch.setitem(TRANSPORTS, "ssh", settings_of(ToySsh))
    chef = "[clusters.c]\nproduct = 'chef-backend'\n[clusters.c.nodes.b]\nroles = ['backend']\n"
    for text in (chef + "bells = 5\n", "[defaults.ssh]\nbells = 5\n" + chef, chef.replace("\n[", "\nbells = 5\n[", 1)):
        assert getattr(parse_inventory(text, HERE).clusters[0].nodes[0].ssh, "bells") == 5  # noqa: B009
    usual = parse_inventory(chef, HERE).clusters[0].nodes[0].ssh
    assert getattr(usual, "bells") == 3  # noqa: B009
    assert "13 is out of range; expected 1 to 12" in said_of(chef + "bells = 13\n", forge=False)
    assert "expected a whole number, found a string; write it without quotes" in said_of(
        chef + "bells = '5'\n", forge=False
    )
    assert 'did you mean "bells"?' in said_of(chef + "bels = 5\n", forge=False)
    vault = "[clusters.v]\nproduct = 'secret-server'\n[clusters.v.nodes.w]\nroles = ['web']\nbells = 5\n"
    assert "bells: is a key of ssh, and this node is reached over winrm" in said_of(vault, forge=False)
    schema = inventory_schema()
    found: Any = schema["properties"]
    own = found["defaults"]["properties"]["ssh"]["properties"]["bells"]
    assert own == {"description": DOC, "type": "integer", "minimum": 1, "maximum": 12, "default": 3}
    assert f"# {DOC}\n#bells = 3\n" in template()
    assert f"| `bells` | whole number, 1 to 12 | {DOC} | `3` |" in reference(catalogue())


def test_a_products_keys_are_read_and_refused_like_any_other() -> None:
    text = FORGES.format(cluster="mirror = 'on'\nhttp_port = 80", role="app", node="rack = 'B2'")
    cluster = parse_inventory(text, HERE, [FORGE], [FORGE_SETTINGS]).clusters[0]
    assert cluster.options == {"mirror": "on"}
    assert cluster.nodes[0].options == {"http_port": 80, "rack": "B2"}
    assert typed(ForgeKeys, cluster.options) == ForgeKeys(mirror="on")
    assert typed(ForgeNodeKeys, {}) == ForgeNodeKeys(http_port=3000, rack="")


@pytest.mark.parametrize(
    ("cluster", "role", "node", "told"),
    [
        (
            "mirror = 'of'",
            "app",
            "",
            'clusters.f.mirror: "of" is none of on, off; did you mean "off"? (line 3, column 1)',
        ),
        ("miror = 'on'", "app", "", 'clusters.f.miror: unknown key; did you mean "mirror"?'),
        (
            "",
            "app",
            "http_port = 0",
            "clusters.f.nodes.one.http_port: 0 is out of range; expected 1 to 65535 (line 6, column 1)",
        ),
        ("", "runner", "http_port = 1", "is for nodes with the role app; this one has runner"),
        ("", "app", "mirror = 'on'", "unknown key; it belongs in [clusters.NAME]"),
        ("dpapi = 'on'", "app", "", "clusters.f.dpapi: is a key of secret-server only"),
        ("", "app", "package = '/x'", "is a key of chef-backend only"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(cluster: str, role: str, node: str, told: str) -> None:
    assert told in said_of(FORGES.format(cluster=cluster, role=role, node=node))


def test_another_products_clusters_do_not_have_them() -> None:
    text = (
        "[clusters.c]\nproduct = 'chef-backend'\nmirror = 'on'\n[clusters.c.nodes.b]\nroles = ['backend']\nrack = 'A'\n"
    )
    told = said_of(text)
    assert "clusters.c.mirror: is a key of forge only; leave it out here (line 3, column 1)" in told
    assert "clusters.c.nodes.b.rack: is a key of forge only" in told


def test_the_schema_knows_them() -> None:
    validator = Draft202012Validator(inventory_schema(KNOWN))

    def fits(options: Mapping[str, object], node: Mapping[str, object], product: str = "forge") -> bool:
        nodes = {"one": {"roles": ["app" if product == "forge" else "backend"], **node}}
        return bool(validator.is_valid({"clusters": {"f": {"product": product, **options, "nodes": nodes}}}))

    assert fits({"mirror": "on", "http_port": 80}, {"rack": "B2"})
    assert not fits({"mirror": "of"}, {})
    assert not fits({}, {"http_port": 0})
    assert not fits({"mirror": "on"}, {}, "chef-backend")
    assert not fits({}, {"rack": "A"}, "chef-backend")


def test_examples_show_them_and_load() -> None:
    long, short = template(KNOWN), short_template(FORGE, KNOWN)
    assert '# Whether a mirror is kept. One of on, off.\n#mirror = "off"\n' in long
    assert "#http_port = 3000" in long
    for text in (long, short, long.replace('#mirror = "off"', 'mirror = "on"').replace("#http_port", "http_port")):
        parse_inventory(text, HERE, [FORGE], [FORGE_SETTINGS])
    assert "| `rack` | text | Where it stands. Of forge. |" in reference(KNOWN)


def test_a_field_that_no_value_fits_is_a_mistake_of_its_author() -> None:
    @dataclass(frozen=True)
    class Odd:
        when: bytes = setting(b"", doc="Never.")

    with pytest.raises(TypeError, match=r"Odd\.when: a key is str, int, .*, not bytes"):
        settings_of(Odd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a plugin wants to know of Chef Backend's clusters."""

    drill: str = setting("", doc="When the last fire drill was.", example="2026-05")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Keys whose values no option holds."""

    token: str | None = secret_setting("the token", "TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Another one."""

    ratio: float = setting(0.5, doc="How much.")


class Entry:
    """What the metadata of an installed package offers."""

    name, value, dist = "drills", "drills:PLUGIN", None

    def __init__(self, *settings: ProductSettings) -> None:
        self._plugin = Plugin((), settings=settings)

    def load(self) -> Plugin:
        return self._plugin


def loaded(*settings: ProductSettings) -> Loaded:
    entries: Any = [Entry(*settings)]
    return load_plugins((), entries)


@pytest.fixture
def drills(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    entry = Entry(ProductSettings(product="chef-backend", cluster=settings_of(Drill)))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [entry])
    from scanner.loading.inventory import installed_catalogue

    return installed_catalogue()


@pytest.mark.usefixtures("drills")
def test_a_plugins_key_is_known_to_every_command(preflight: Preflight, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.toml"
    assert preflight("init", str(inventory)).code == 0
    text = inventory.read_text("utf-8")
    assert '# When the last fire drill was.\n#drill = "2026-05"\n' in text
    inventory.write_text(text.replace("#drill =", "drill ="), "utf-8")
    assert preflight("validate", str(inventory)).code == 0
    inventory.write_text(text.replace("#drill =", "dril ="), "utf-8")
    refused = preflight("validate", str(inventory))
    assert refused.code == 2
    assert 'unknown key; did you mean "drill"?' in refused.err
    schema = json.loads(preflight("schema").out)
    assert "drill" in schema["properties"]["clusters"]["additionalProperties"]["properties"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (ProductSettings(product="a", cluster=settings_of(ForgeKeys) * 2), "a: the inventory's key mirror is taken"),
        (ProductSettings(product="a", node=settings_of(SshSettings)[:1]), "a: the inventory's key user is taken"),
        (ProductSettings(product="a", cluster=BUILTIN[0].cluster), "a: the inventory's key dpapi is taken"),
        (
            ProductSettings(product="a", node=settings_of(Carried)),
            "key token_env is a secret: text, integer or",
        ),
        (ProductSettings(product="a", node=settings_of(Ratio)), "key ratio is of the kind number"),
    ],
)
def test_a_key_that_could_not_be_meant_costs_its_plugin_alone(settings: ProductSettings, why: str) -> None:
    found = loaded(settings)
    assert not found.settings
    assert [result.status.value for result in found.failures] == ["error"]
    assert why in found.failures[0].message


def test_the_built_in_products_come_through_the_same_door() -> None:
    refuse_clashes(BUILTIN)
    assert [each.product for each in BUILTIN] == list(catalogue().products)
