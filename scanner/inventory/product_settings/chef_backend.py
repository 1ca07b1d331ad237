"""The keys of Chef Backend's clusters and nodes, and its example."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from scanner.inventory.products import Product
from scanner.inventory.settings.catalogue import Catalogue, ProductSettings
from scanner.inventory.settings.setting import by_name, setting, settings_of
from scanner.inventory.writing import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKeys:
    """What no command tells of a cluster."""

    failover: str = setting(
        "",
        doc="Whether cluster failover is on, as set-cluster-failover last set it; no command reads it.",
        otherwise="not judged before the window, unknown in it and after it",
        example="on",
        choices=("on", "off"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKeys:
    """What lies ready on a node."""

    package: str = setting(
        "",
        doc="Where the target's package file lies ready on the node.",
        otherwise="whether it is staged is not looked at",
        example="/srv/chef-backend-2.3.16-1.el7.x86_64.rpm",
        pattern=r"/[^\u0000-\u001f\u007f]+",
        expects="an absolute path on the node",
        roles=("backend",),
    )


def _example(product: Product, known: Catalogue) -> str:
    cluster = f"clusters.{SETTINGS.example_cluster}"
    own = {"product": product.name, "target": product.version_example}
    told = ("product", "target", "current")
    keys = [key for key in known.cluster if key.name in told]
    keys += [key for key in (*known.cluster, *known.options) if product.name in key.products]
    first, *others = [
        tables.brief(f"{cluster}.nodes.backend-{number}", {"host": f"10.0.0.1{number}", "roles": ("backend",)})
        for number in (1, 2, 3)
    ]
    roles = tables.comment(f"{by_name(known.node)['roles'].doc} {tables.roles_of(product)}")
    return "\n".join(
        [tables.table(cluster, "A Chef Backend cluster.", keys, own, silent=told), roles + first, *others],
    )


SETTINGS = ProductSettings(
    product="chef-backend",
    cluster=settings_of(ClusterKeys),
    node=settings_of(NodeKeys),
    example_cluster="chef-prod",
    example_nodes={"backend": ("backend-1", "backend-2", "backend-3"), "frontend": ("frontend-1",)},
    example=_example,
)
