"""What a check is, and what it sees: one node's facts, or those of all nodes of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import Literal, TypeVar, cast

from packaging.version import Version

from checks.common.dataclass import dataclass
from checks.engine.rules import RuleSet
from checks.facts import Unknown, UnknownFactError
from checks.outcome import Outcome, Remediation, Severity
from checks.versions import Installed, parse_version

F = TypeVar("F")

Platform = Literal["linux", "windows"]

NOT_SELECTED = "not selected"
"""The `absence` of a node that nobody wanted to be asked."""

PHASES = ("before", "window", "after")
"""When a scan is made: before the maintenance window opens, while it is open, after it."""


def _no_version(_: NodeView) -> Installed:
    return Installed(version=None, read=False, problem="its product does not say how the version is read")


def _no_index(_: Sequence[NodeView]) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    """A product as checks and the engine see it; `checks.product.Product` is all of it.

    Made without arguments, it is a product of which nothing is known.
    """

    name: str = ""
    """As the inventory writes it: "my-service"."""
    title: str = ""
    """As people write it: "My Service"."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Each role with what a node that has it does, one line. At least one."""
    essential_roles: frozenset[str] = frozenset()
    """Roles without which a cluster does not work: an inventory that names none has forgotten something, and the checks
    of that role say so instead of silently not being there."""
    platform: Platform = "linux"
    """What its machines are: over ssh and local, Linux is asked in sh and Windows in PowerShell."""
    parse: Callable[[str], Version] = parse_version
    """Reads a version of the product. Raises checks.versions.VersionError, which says what was expected."""
    version_pattern: str = r"\s*[vV]?[0-9].*"
    """A regular expression, common to Python and ECMA-262, that every version that `parse` takes matches in full."""
    version_example: str = "2.3.16"
    carrier: str = ""
    """The role whose machines carry the product's version; those of other roles run something else, or nothing."""
    read_installed: Callable[[NodeView], Installed] = _no_version
    """Reads the version that a machine of that role runs from its facts."""
    installed_facts: tuple[type, ...] = ()
    """What `read_installed` reads."""
    read_index: Callable[[Sequence[NodeView]], tuple[str, str]] = _no_index
    """From the carriers: which version created the search index, on which the ways called "by-index" rest, and why that
    is unknown; both empty where there is no such index."""
    index_facts: tuple[type, ...] = ()
    """What `read_index` reads."""
    doubts_told_by: str = ""
    """The check that tells what speaks against a version that was read; empty: stepping-stone does."""


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """What the inventory says of a cluster."""

    name: str
    product: str
    _: KW_ONLY
    target: str | None = None
    """The version to upgrade to, as written; `--target` stands in for it."""
    current: str | None = None
    """The version declared to be installed, as written."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Other cluster keys that checks read, for example `dpapi`."""
    rules: RuleSet = field(default_factory=lambda: RuleSet(()))
    """The vendor's rules of the product, with the inventory's overrides applied."""
    skip: Mapping[str, str] = field(default_factory=dict)
    """Ids of the checks that the inventory leaves out here, each with the reason. No check reads it."""
    phase: str = "before"
    """One of PHASES. A check that expects something else in each reads it; see `phases` of the check."""
    open_ended: bool = False
    """True where machines were named without an inventory: the cluster may have others. No check reads it."""
    definition: ProductView = field(default_factory=ProductView)
    """What is known of `product`."""

    def declared(self, key: str, otherwise: str = "") -> str:
        """What the inventory says of the cluster under `key`, as text; `otherwise` where it says nothing."""
        return str(self.options.get(key, otherwise))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node as a check sees it."""

    cluster: ClusterInfo
    name: str
    host: str
    roles: frozenset[str]
    facts: Mapping[type, object] = field(default_factory=dict)
    """Fact class to fact, or to `Unknown`. Read it through `require` and `get`."""
    current: str | None = None
    """The version that the inventory declares for this node, else for its cluster."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Other node keys that checks read: `sql_instance`, `sql_port`, `web_root`."""
    error_output: Mapping[type, Mapping[str, str]] = field(default_factory=dict)
    """Fact class to what the probe that it was read from printed on standard error, by the probe's id. It is shown
    beside results and judged by nobody: what a healthy program says there has no end."""
    absence: str = ""
    """Why the node was not asked, or did not answer fully, in one line; empty where it did."""
    worked_out: list[Installed] = field(default_factory=list, init=False, repr=False, compare=False)
    """The version that follows from the rest, once somebody has asked for it; read it through `installed`."""

    def get(self, kind: type[F]) -> F | Unknown:
        """The fact, or why it is unknown."""
        found = self.facts.get(kind)
        if isinstance(found, (kind, Unknown)):
            return found
        why = self.absence or f"{kind.__name__} was not gathered"
        return Unknown(why, unanswered=bool(self.absence), unasked=True)

    def require(self, kind: type[F]) -> F:
        """The fact. Raises UnknownFactError, which the engine reports as `error`, where it is unknown."""
        found = self.get(kind)
        if isinstance(found, Unknown):
            raise UnknownFactError(found.reason)
        return found

    def knows(self, *kinds: type) -> bool:
        """Whether all of these facts could be read."""
        return not any(isinstance(self.get(kind), Unknown) for kind in kinds)

    def declared(self, key: str, otherwise: str = "") -> str:
        """What the inventory says of the node under `key`, as text; `otherwise` where it says nothing."""
        return str(self.options.get(key, otherwise))

    look = get
    """Deprecated, for plugins that were written before: `get`."""
    fact = require
    """Deprecated, for plugins that were written before: `require`."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster as a cluster-scoped check sees it: all its nodes that have the check's roles, reached or not."""

    cluster: ClusterInfo
    nodes: tuple[NodeView, ...]

    def with_role(self, role: str) -> list[NodeView]:
        """The nodes that have the role, in inventory order."""
        return [node for node in self.nodes if role in node.roles]

    def with_fact(self, kind: type[F]) -> list[tuple[NodeView, F]]:
        """The nodes whose fact is known, in inventory order, each with it."""
        looks = ((node, node.get(kind)) for node in self.nodes)
        return [(node, found) for node, found in looks if not isinstance(found, Unknown)]

    def without_fact(self, kind: type[F]) -> list[tuple[NodeView, str]]:
        """The nodes whose fact is unknown, in inventory order, each with the reason."""
        looks = ((node, node.get(kind)) for node in self.nodes)
        return [(node, found.reason) for node, found in looks if isinstance(found, Unknown)]

    known = with_fact
    """Deprecated, for plugins that were written before: `with_fact`."""
    unknown = without_fact
    """Deprecated, for plugins that were written before: `without_fact`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    id: str
    """Kebab-case, and for ever: documentation anchor, JUnit name, inventory key."""
    title: str
    severity: Severity
    doc: str
    """The module's docstring: What it checks / Why it matters / How to fix it."""
    remediation: Remediation
    products: tuple[str, ...] = ()
    """Empty: all products."""
    roles: tuple[str, ...] = ()
    """A node needs one of them. Empty: any node."""
    clusters: tuple[str, ...] = ()
    """The clusters that it is for, by name: what an inventory expects of one. Empty: any cluster."""
    facts: tuple[type, ...] = ()
    """Facts it cannot judge without: an unknown one ends in `error` (see the engine for clusters)."""
    optional_facts: tuple[type, ...] = ()
    """Facts it reads where they are known, and for whose absence it has an answer of its own."""
    phases: Mapping[str, str] = field(default_factory=dict)
    """What it expects in each of PHASES, in words; empty where that is the same in all of them."""
    references: tuple[str, ...] = ()
    """URLs, or names of documents, that the rule comes from."""
    parts: Mapping[str, NodeCheck | ClusterCheck] = field(default_factory=dict)
    """Of a check that several products share, by product: what it is for each of them; see `for_product`."""

    def for_product(self, product: str) -> NodeCheck | ClusterCheck:
        """The check as it is for a product: with that product's roles and facts."""
        return self.parts.get(product, cast("NodeCheck | ClusterCheck", self))

    def __post_init__(self) -> None:
        """Refuse `roles=("web")`, a text that concerns no node at all: such a check would silently not be there."""
        for name in ("products", "roles", "clusters", "facts", "optional_facts", "references"):
            value = getattr(self, name)
            if not isinstance(value, tuple):
                raise TypeError(f"check {self.id}: {name} is no tuple, but {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCheck(_Check):
    """A check that judges each node by itself."""

    judge: Callable[[NodeView], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCheck(_Check):
    """A check that compares the nodes of a cluster, or judges it as a whole."""

    judge: Callable[[ClusterView], Outcome]


Check = NodeCheck | ClusterCheck
