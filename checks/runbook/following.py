"""Following a plan: what its steps leave behind that facts show, and whether they show it now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.engine.upgrade_path import UpgradeStep
from checks.engine.wording import enumerate_names
from checks.facts import EndedError, UnknownFactError
from checks.product import Product
from checks.registry import PRODUCTS
from checks.runbook.model import Runbook, ScanAsked, Step, numbered_steps, steps_back
from checks.runbook.signs import SCAN, Kind, Seen, Sign, State, cannot_tell, list_of, together
from checks.runbook.writer import SignsOf


def kinds_of(products: Iterable[Product]) -> dict[str, Kind]:
    """The kinds of signs that the runbooks of `products` give, the built-in ones among them or not."""
    return {name: kind for one in products if one.runbook for name, kind in one.runbook.kinds.items()}


KINDS: Mapping[str, Kind] = kinds_of(PRODUCTS)
"""Every built-in kind of sign but SCAN, by its name in a kept plan."""

ENDS: Mapping[str, str] = {
    "turn-dpapi-off": "turn-dpapi-on",
    "stop-others": "start-other",
    "stop-spare": "start-spare",
    "failover-off": "failover-on",
    "take-leader-down": "upgrade-down-leader",
    "take-followers-down": "upgrade-down-follower",
    "stop-frontends": "start-frontends",
    "stop-elasticsearch": "start-elasticsearch",
    "identify-leader": "upgrade-leader",
    "check-index-health": "define-index",
}
"""Steps whose effect a later one ends by design: step to that one."""

_PASSING = ("pass-the-gate", "keep-plain-key", "stage-package")
"""Steps that ask what is so at their moment alone: later nobody expects it any more."""

_LASTING = ("files-version", "database-version", "package-version", "services-restarted", "frontend-version")
"""Kinds of signs that no step before theirs shows, and that stay."""

_NEXT_HOP = ("upgrade-first", "upgrade-backend", "upgrade-leader", "upgrade-down-follower")
"""Steps after which a proof of the hop before shows nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A step as somebody follows it."""

    cluster: str
    number: str
    """"2.7", or "R3" of the way back."""
    kind: str
    """The step's own id, the same wherever the same is done."""
    title: str
    shows: str
    signs: tuple[Sign, ...] = ()
    unseen: str = ""
    """Why facts do not show it, or not all of it; empty where they do."""

    @property
    def id(self) -> str:
        """What names it in an inventory of several clusters: "vault-prod.2.7"."""
        return f"{self.cluster}.{self.number}"

    @property
    def is_back(self) -> bool:
        """Whether it belongs to the way back."""
        return self.number.startswith("R")


def kind_of(sign: Sign) -> Kind:
    """The question that a sign is, which is no SCAN. Raises KeyError for one that nothing knows."""
    return sign.asks or KINDS[sign.kind]


def with_signs(
    runbook: Runbook, views: Sequence[NodeView], of_product: SignsOf, kinds: Mapping[str, Kind] = KINDS
) -> Runbook:
    """The runbook with each step's signs, `views` being the cluster's nodes as they were when it was made.

    `kinds` are the product's own.
    """
    hops = runbook.path.hops
    parts = []
    for chapter, part in enumerate(runbook.parts):
        # What is done at another site, or to frontends, is done for the last hop's version.
        hop: UpgradeStep | None = hops[min(chapter, len(hops)) - 1] if chapter and hops else None
        steps = tuple(
            _declared(step, *of_product(step, hop, part.steps[:place], views), kinds)
            for place, step in enumerate(part.steps)
        )
        parts.append(replace(part, steps=steps))
    current = str(runbook.path.current)
    steps = runbook.steps_back
    back = tuple(
        _declared(step, *of_product(step, None, steps[:place], views, back=current), kinds)
        for place, step in enumerate(steps)
    )
    return replace(runbook, parts=tuple(parts), steps_back=back)


def _declared(step: Step, found: tuple[Sign, ...], unseen: str, kinds: Mapping[str, Kind]) -> Step:
    proof = step.proof
    scans = [one.scan for one in (*step.commands, *(proof.commands if proof else ())) if one.scan is not None]
    bound = (replace(sign, asks=kinds.get(sign.kind)) for sign in found)
    signs = (*bound, *(_scan_sign(asked) for asked in dict.fromkeys(scans)))
    why = unseen or ("" if signs else "nothing that a scan reads tells of it")
    return replace(step, signs=signs, unseen=why)


def _scan_sign(asked: ScanAsked) -> Sign:
    want: dict[str, object] = {"phase": asked.phase}
    if asked.checks:
        want["checks"] = list(asked.checks)
    if asked.without:
        want["without"] = list(asked.without)
    if asked.target:
        want["target"] = asked.target
    return Sign(SCAN, (), want)


def followed(runbook: Runbook) -> tuple[Followed, ...]:
    """The steps of a runbook in order, those of the way back last."""
    rows = [(number, step) for number, _, step in numbered_steps(runbook)] + list(steps_back(runbook))
    return tuple(
        Followed(
            cluster=runbook.cluster,
            number=number,
            kind=step.id,
            title=step.title,
            shows=step.proof.shows if step.proof else "",
            signs=step.signs,
            unseen=step.unseen,
        )
        for number, step in rows
    )


def told(sign: Sign) -> str:
    """What is looked for, in words."""
    where = f"{enumerate_names(list(sign.nodes))}: " if sign.nodes else ""
    if sign.kind == SCAN:
        checks = sign.want.get("checks")
        what = f"a scan for {enumerate_names([str(one) for one in checks])}" if isinstance(checks, list) else "a scan"
        target = f", to {sign.want['target']}" if "target" in sign.want else ""
        without = [str(one) for one in list_of(sign.want.get("without"))]
        less = f", without {enumerate_names(without)}" if without else ""
        return f"{what} (--phase {sign.want['phase']}{target}{less}) says GO"
    try:
        return where + kind_of(sign).told(sign.want)
    except (EndedError, UnknownFactError) as ended:
        return f"{where}({ended})"


def see(step: Followed, views: Mapping[str, NodeView], scanned: Callable[[Sign], Seen]) -> Seen:
    """Whether the step is done; `views` are the cluster's nodes now, `scanned` judges a SCAN."""
    if not step.signs:
        return cannot_tell(step.unseen)
    return together(scanned(sign) if sign.kind == SCAN else _seen(sign, views) for sign in step.signs)


def _seen(sign: Sign, views: Mapping[str, NodeView]) -> Seen:
    missing = [name for name in sign.nodes if name not in views]
    if missing:
        return cannot_tell(f"the inventory does not name {enumerate_names(missing)} any more")
    asked = [views[name] for name in sign.nodes]
    try:
        found = kind_of(sign).judge(asked, sign.want)
    except UnknownFactError as gap:
        found = cannot_tell(gap.reason)
    except EndedError as ended:
        return cannot_tell(str(ended))
    if found.state is not State.CANNOT_TELL:
        return found
    silent = [f"{view.name}: {view.absence}" for view in asked if view.absence]
    kinds = kind_of(sign).facts
    unasked = [view.name for view in asked if not view.absence and not any(kind in view.facts for kind in kinds)]
    if unasked:
        silent.append(f"a scan of this inventory does not ask {enumerate_names(unasked)} for it, or leaves it out")
    return cannot_tell("; ".join(silent)) if silent else found


def left_behind(step: Followed, views: Mapping[str, NodeView]) -> State:
    """What a step that was done leaves behind for good: DONE where all of that is there; else CANNOT_TELL."""
    signs = [sign for sign in step.signs if sign.kind in _LASTING]
    there = bool(signs) and together(_seen(sign, views) for sign in signs).state is State.DONE
    return State.DONE if there else State.CANNOT_TELL


def over(steps: Sequence[Followed], states: Mapping[str, State], left: Mapping[str, State]) -> dict[str, str]:
    """Steps that are not done any more because a later one, which was done, ends them: id to that one's number.

    What ends a step may be so from the beginning, as failover is on: it counts where a step after the first has left a
    version behind. A step that asks what is so at its moment is over, too, once that is the case; and so is what was so
    at the moment of a step whose lasting part, by `left`, is there: that the other nodes are stopped, for one.
    """
    found: dict[str, str] = {}
    rows = [step for step in steps if not step.is_back]
    for place, step in enumerate(rows):
        if states.get(step.id) is not State.NOT_DONE:
            continue
        later = [other for other in rows[place + 1 :] if State.DONE in (states.get(other.id), left.get(other.id))]
        passed = [other for other in later if any(sign.kind in _LASTING for sign in other.signs)]
        if step.kind in _PASSING or left.get(step.id) is State.DONE:
            by = passed
        elif step.kind == "verify-hop":
            by = [other for other in passed if other.kind in _NEXT_HOP]
        else:
            by = [other for other in later if other.kind == ENDS.get(step.kind)]
        if by and passed:
            found[step.id] = by[0].number
    return found
