"""How every run was made, from its own record, as sections that a page shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from unseg_bench.run.facts import device_text
from unseg_bench.run.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unseg_bench.compare.inputs import RunScores

Facts = tuple[tuple[str, str], ...]
"""Names and values as text."""


@dataclass(frozen=True, slots=True)
class LabelReads:
    """What was granted for one purpose: kind ('mask', 'slice-labels'), purpose, when first and last, and the cases."""

    kind: str
    purpose: str
    first: str
    last: str
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """One run: `title` names it, `sections` are (heading, facts), `reads` its label ledger (None: none was kept)."""

    title: str
    label_free: str
    sections: tuple[tuple[str, Facts], ...]
    reads: tuple[LabelReads, ...] | None


def provenance(run: RunScores) -> Provenance:
    """Read a run's record; scores without a run folder say only what came with them.

    The data set's options are left out, for they are paths of one machine; its identity is there. Predictions made
    elsewhere have no ledger, whatever their record holds: what their maker read of labels is not known here.
    """
    record = RunFolder(run.folder).record if run.folder is not None else {}
    settings = cast("dict[str, Any]", record.get("settings", {}))
    sections = {
        "Run": {
            "folder": run.folder.name if run.folder is not None else "none: scores came as a table",
            "method": run.method,
            "seed": run.seed,
            "preset": run.preset,
            **_some(record, "supervision", "started", "ended", "state"),
            "label-free (measured)": run.label_free,
        },
        "Made elsewhere": _source(record),
        "Seal": {name: value for name, value in record.get("seal", {}).items() if name != "volumes"},
        "Masks of other runs": _mask_sources(record),
        "Data": {
            "data set": run.dataset,
            "split": run.split,
            "part": run.part,
            "cases": len(run.scores),
            "identity": record.get("dataset_identity"),
            "digests of the images": record.get("images"),
            "failed cases": record.get("failed_cases"),
        },
        "Scoring rules": run.scoring_rules,
        "Options": settings.get("set", run.options),
        "Weights (SHA-256)": record.get("weights"),
        "Versions": record.get("versions"),
        "Hardware": {**record.get("machine", {}), "device": device_text(record) or settings.get("device")},
    }
    facts = ((heading, flat_facts(values)) for heading, values in sections.items() if values)
    kept = "label_reads" in record and not record.get("made_elsewhere")
    reads = cast("list[dict[str, Any]]", record.get("label_reads", []))
    return Provenance(
        title=run.name,
        label_free=run.label_free,
        sections=tuple((heading, pairs) for heading, pairs in facts if pairs),
        reads=_by_purpose(reads) if kept else None,
    )


def flat_facts(values: Mapping[str, object], prefix: str = "") -> Facts:
    """Return nested values as dotted names and text; what is None or an empty mapping is left out."""
    facts: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            facts += flat_facts(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        elif isinstance(value, str):
            facts.append((prefix + name, value or "''"))
        elif value is not None:
            facts.append((prefix + name, json.dumps(value, ensure_ascii=False)))
    return tuple(facts)


def _some(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _mask_sources(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many masks of which runs went into this one, and how those were made; folders stay unnamed."""
    sources = cast("dict[str, dict[str, Any]]", record.get("mask_sources", {}))
    return {
        f"{number}. {source['run'] or 'a folder'}": f"masks: {len(source['masks'])}, {source['mode']}"
        for number, source in enumerate(sources.values(), start=1)
    }


def _source(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of predictions made elsewhere, but for the folder that they came from."""
    source = cast("dict[str, Any]", record.get("source", {}))
    return {
        **_some(record, "label_use", "missing_cases"),
        **{name: value for name, value in source.items() if name != "folder"},
    }


def _by_purpose(reads: Sequence[Mapping[str, Any]]) -> tuple[LabelReads, ...]:
    """Put the reads of one kind and purpose together, in the order in which they began."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for read in reads:
        groups.setdefault((str(read["kind"]), str(read["purpose"])), []).append(read)
    return tuple(
        LabelReads(
            kind=kind,
            purpose=purpose,
            first=min(str(read["when"]) for read in found),
            last=max(str(read["when"]) for read in found),
            cases=tuple(dict.fromkeys(str(read["case"]) for read in found)),
        )
        for (kind, purpose), found in groups.items()
    )
