"""All the keys that an inventory may have, by where they stand, those that products bring included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from checks.common.dataclass import dataclass
from reports.format import SCAN, formats_of
from scanner.inventory.expect.keys import EXPECT
from scanner.inventory.model import Cluster, Node, RunSettings
from scanner.inventory.products import Product
from scanner.inventory.settings.acceptance import ATTESTATION, DRIFT_RULE, RULE, WAIVER
from scanner.inventory.settings.setting import TEXT, Setting, by_name, settings_of
from scanner.inventory.settings.transports import TRANSPORTS

RUN = settings_of(RunSettings)
REPORTS = tuple(
    Setting(name=each.name, doc=each.about, example=each.example, pattern=TEXT) for each in formats_of(SCAN)
)
TABLES = ("nodes", "rules", "backup", "skip", "expect")
"""What stands in a cluster beside its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSettings:
    """The keys that a product brings, and how it is shown in an example."""

    product: str
    """Its name."""
    cluster: tuple[Setting, ...] = ()
    """Of its clusters."""
    node: tuple[Setting, ...] = ()
    """Of its nodes; in the cluster they hold for all its nodes that have the role."""
    backup: tuple[Setting, ...] = ()
    """Of [clusters.NAME.backup]: where the backups lie that the vendor asks for before an upgrade."""
    example_cluster: str = ""
    """What its cluster is called in examples."""
    example_nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What its nodes are called there, by role."""
    example: Callable[[Product, Catalogue], str] | None = None
    """Writes its cluster into the long example, where the usual way does not serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All keys, for the products there are."""

    products: Mapping[str, Product]
    brought: Mapping[str, ProductSettings]
    """By the product's name."""
    cluster: tuple[Setting, ...]
    """Keys of [clusters.NAME], beside those of its transports, its nodes and its rules."""
    node: tuple[Setting, ...]
    """Keys of [clusters.NAME.nodes.NAME], beside those of its transport and `options`."""
    options: tuple[Setting, ...]
    """Those of products that go with a node; in the cluster they hold for all its nodes that have the role."""
    backup: tuple[Setting, ...]

    @property
    def sections(self) -> dict[str, tuple[Setting, ...]]:
        """All tables by where they stand."""
        return {
            **{f"[defaults.{transport}]": keys for transport, keys in TRANSPORTS.items()},
            "[clusters.NAME]": self.cluster,
            "[clusters.NAME.nodes.NODE]": (*self.node, *self.options),
            "[clusters.NAME.backup]": self.backup,
            "[clusters.NAME.rules.ID]": RULE,
            "[[clusters.NAME.expect]]": EXPECT,
            "[run]": RUN,
            "[reports]": REPORTS,
            "[[waivers]]": WAIVER,
            "[[attestations]]": ATTESTATION,
            "[drift.rules.FACT]": DRIFT_RULE,
        }


def catalogue_of(products: Mapping[str, Product], brought: Sequence[ProductSettings]) -> Catalogue:
    """The keys there are, with those that the products bring. Raises TypeError for a key that two of them bring."""
    refuse_clashes(brought)
    owned = [
        replace(
            each,
            cluster=_owned(each.cluster, each.product),
            node=_owned(each.node, each.product),
            backup=_owned(each.backup, each.product),
        )
        for each in brought
    ]
    usual = ", ".join(f"{product.transports[0]} for {product.name}" for product in products.values())
    node = tuple(replace(key, otherwise=usual) if key.name == "transport" else key for key in settings_of(Node))
    return Catalogue(
        products=products,
        # Of several that bring keys for one product, the first has its example.
        brought={each.product: each for each in reversed(owned)},
        # A cluster says for all its nodes how they are reached.
        cluster=(
            *settings_of(Cluster, tuple(key for each in owned for key in each.cluster)),
            by_name(node)["transport"],
        ),
        node=node,
        options=tuple(key for each in owned for key in each.node),
        backup=tuple(key for each in owned for key in each.backup),
    )


def refuse_clashes(brought: Sequence[ProductSettings]) -> None:
    """Raise TypeError for a key that has a meaning already: no place could tell which of them is meant."""
    taken = {*by_name(settings_of(Cluster), settings_of(Node), *TRANSPORTS.values()), *TABLES}
    backup: set[str] = set()
    for each in brought:
        own = [key.name for key in (*each.cluster, *each.node)]
        for name in own:
            if name in taken or own.count(name) > 1:
                raise TypeError(f"{each.product}: the inventory's key {name} is taken")
        for key in each.backup:
            if key.name in backup:
                raise TypeError(f"{each.product}: the key {key.name} of the inventory's [backup] is taken")
        taken.update(own)
        backup.update(key.name for key in each.backup)


def refuse_uncarried(brought: Sequence[ProductSettings]) -> None:
    """Raise TypeError for a key whose value would reach nobody: the options of clusters and nodes hold plain values."""
    for each in brought:
        for key in (*each.cluster, *each.node, *each.backup):
            if key.secret or key.kind not in ("text", "integer", "boolean"):
                what = "a secret" if key.secret else f"of the kind {key.kind}"
                raise TypeError(f"{each.product}: the inventory's key {key.name} is {what}: text, integer or boolean")


def _owned(keys: tuple[Setting, ...], product: str) -> tuple[Setting, ...]:
    return tuple(replace(key, products=(product,)) for key in keys)
