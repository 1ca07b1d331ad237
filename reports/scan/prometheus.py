"""A scan for Prometheus' node exporter (its textfile collector), in the text format of version 0.0.4.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.outcome import Status
from checks.scan import ClusterVerdict, Scan, Verdict
from reports.findings.headline import elapsed_s
from reports.text import one_line

_CHARS = 200
Sample = tuple[tuple[tuple[str, str], ...], float]
"""Labels and value."""


def render(scan: Scan) -> str:
    """The metrics. Each cluster has a sample of every verdict, 1 for the one that holds, so that alerts can name it."""
    base = (("inventory", scan.inventory),)
    judged = scan.cluster_verdicts
    lines: list[str] = []
    for name, about, samples in (
        ("preflight_verdict", "1 for the verdict of the whole run, 0 for the others.", _verdict(base, scan.verdict)),
        (
            "preflight_cluster_verdict",
            "1 for the cluster's verdict, 0 for the others.",
            [sample for one in judged for sample in _verdict((*base, *_labels(one)), one.verdict)],
        ),
        (
            "preflight_results",
            "Results of the cluster by status.",
            [
                ((*base, *_labels(one), ("status", str(status))), one.counts[status])
                for one in judged
                for status in Status
            ],
        ),
        (
            "preflight_results_not_evaluated",
            "Results that were planned and could not be judged.",
            [((*base, *_labels(one)), one.coverage.not_evaluated) for one in judged],
        ),
        (
            "preflight_node_reachable",
            "1 where the node answered.",
            [((*base, ("cluster", node.cluster), ("node", node.node)), node.reachable) for node in scan.nodes],
        ),
        (
            "preflight_node_duration_seconds",
            "How long the node took.",
            [((*base, ("cluster", node.cluster), ("node", node.node)), round(node.seconds, 3)) for node in scan.nodes],
        ),
        ("preflight_duration_seconds", "How long the run took.", [(base, round(elapsed_s(scan), 3))]),
        (
            "preflight_last_run_timestamp_seconds",
            "When the run ended, in seconds since 1970.",
            [(base, round(scan.finished.timestamp(), 3))],
        ),
        ("preflight_interrupted", "1 where the run was cut short.", [(base, scan.partial)]),
        ("preflight_info", "The program's version.", [((*base, ("version", scan.tool_version)), 1)]),
    ):
        lines += _metric(name, about, samples)
    return "\n".join(lines) + "\n"


def _labels(judged: ClusterVerdict) -> tuple[tuple[str, str], ...]:
    record = judged.record
    return (("cluster", record.name), ("product", record.product), ("owner", record.owner))


def _verdict(labels: tuple[tuple[str, str], ...], verdict: Verdict) -> list[Sample]:
    return [((*labels, ("verdict", str(word))), word is verdict) for word in Verdict]


def _metric(name: str, about: str, samples: Sequence[Sample]) -> Iterable[str]:
    if samples:
        yield f"# HELP {name} {about}"
        yield f"# TYPE {name} gauge"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{told}}} {_number(value)}"


def _escaped(text: str) -> str:
    return one_line(text, _CHARS).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return repr(float(value)) if isinstance(value, float) else str(int(value))
