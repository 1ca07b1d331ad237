"""What nodes said, given on cluster by cluster: each as soon as all of its nodes have ended, and then let go."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from scanner.files.packed.answers import packed
from scanner.inventory.model import NodeKey
from scanner.run.engines.turns import at_once
from scanner.run.job import ScanRequest
from scanner.transports.answers import Circumstances, NodeResponse, Responses


class Taker(Protocol):
    """Makes something of what the nodes said: results, a snapshot, a file. It gets each cluster of the job."""

    def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """What the chosen nodes of a cluster said; of an interrupted run, those that it got to.

        Clusters come in whatever order. One comes again where an interrupt came while it was taken: what was made of it
        before does not count.
        """

    def end(self, asking: Circumstances) -> None:
        """There are no more."""


class Handover:
    """Between those who ask and those who make something of it. All of it is done by the thread that asks."""

    def __init__(self, job: ScanRequest, takers: Sequence[Taker]) -> None:
        """Whoever comes first among the `takers` has all there is before the next one gets what is left at the end."""
        self._takers = tuple(takers)
        self._outstanding = {
            cluster.name: sum(node.key in job.chosen for node in cluster.nodes) for cluster, _ in job.clusters
        }
        self._said: dict[str, dict[NodeKey, NodeResponse]] = {}
        self._whole: deque[str] = deque()
        self._taken: tuple[set[str], ...] = tuple(set() for _ in self._takers)
        self._failed: set[int] = set()
        """Takers that are given no more before the end."""

    def hear(self, said: NodeResponse, *, again: bool = False) -> None:
        """What one node said. `again`: it is, or was, asked once more, and so its cluster waits for the end."""
        mine = self._said.setdefault(said.cluster, {})
        key = (said.cluster, said.node)
        known = key in mine
        mine[key] = packed(said)
        if not known and not again:
            self._outstanding[said.cluster] -= 1
            if not self._outstanding[said.cluster]:
                self._whole.append(said.cluster)

    def hear_all(self, collected: Responses) -> Circumstances:
        """What was collected before; to be ended with what this gives."""
        for key, said in collected.said.items():
            if key[0] in self._outstanding:
                self._said.setdefault(key[0], {})[key] = said
        return collected.circumstances

    @property
    def ready(self) -> bool:
        """Whether there is a cluster to be given on."""
        return bool(self._whole)

    def give_one(self) -> None:
        """Give the first of the clusters on that are whole, and let it go.

        A taker that fails costs neither the asking nor the others their part: it gets what it lacks at the end, when
        there may be more room, and fails there if it has to.
        """
        name = self._whole[0]
        for place, taker in enumerate(self._takers):
            if place not in self._failed:
                try:
                    with at_once():
                        taker.take(name, self._said[name])
                except Exception:  # noqa: BLE001  comes again at the end
                    self._failed.add(place)
                else:
                    self._taken[place].add(name)
        self._whole.popleft()
        if not self._failed:
            del self._said[name]

    def end(self, asking: Circumstances) -> None:
        """Give on what is left, in inventory order."""
        for place, taker in enumerate(self._takers):
            for name in self._outstanding:
                if name not in self._taken[place]:
                    taker.take(name, self._said.get(name, {}))
                if place == len(self._takers) - 1:
                    self._said.pop(name, None)
            taker.end(asking)


class Keeper:
    """Takes all that is said, and holds it."""

    def __init__(self) -> None:
        self.said: dict[NodeKey, NodeResponse] = {}

    def take(self, _: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """Keep these, too."""
        self.said |= said

    def end(self, _: Circumstances) -> None:
        """Nothing is left to do."""
