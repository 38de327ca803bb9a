"""Which rows may be best of a column, and which stand apart: with labels, of unknown labels, ceilings, floors."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from unseg_bench.compare.inputs import RunScores

COMPARED = ""
"""The section of the rows that compete: for the best of a column, and to be the reference where none is named."""
WITH_LABELS, UNKNOWN, CEILINGS, FLOORS = "with labels", "labels unknown", "ceilings", "floors"
SECTIONS = (COMPARED, WITH_LABELS, UNKNOWN, CEILINGS, FLOORS)
"""In the order of a table."""
_LABEL_FREE = "label-free"


def sections(runs: Sequence[RunScores]) -> dict[str, str]:
    """The section of every label, in the order in which they first come.

    Label-free methods compete with each other. Where none has scores all methods compete, and without methods the
    floors, then the ceilings.
    """
    ordered = sorted(runs, key=lambda run: run.label)
    kinds = {label: _kind(list(own)) for label, own in groupby(ordered, key=lambda run: run.label)}
    scored = {run.label for run in runs if run.failure is None}
    for competing in ({_LABEL_FREE}, {WITH_LABELS, UNKNOWN}, {FLOORS}, {CEILINGS}):
        if any(kinds[label] in competing for label in scored):
            break
    named = {kind: COMPARED if kind in {*competing, _LABEL_FREE} else kind for kind in kinds.values()}
    return {label: named[kinds[label]] for label in dict.fromkeys(run.label for run in runs)}


def competing_labels(standing: Mapping[str, str]) -> tuple[str, ...]:
    """The labels that compete, in order."""
    return tuple(label for label, section in standing.items() if section == COMPARED)


def _kind(runs: Sequence[RunScores]) -> str:
    """What one row is; of its seeds, one that read labels makes it a row with labels."""
    if runs[0].is_floor or runs[0].is_ceiling:
        return FLOORS if runs[0].is_floor else CEILINGS
    for word, kind in (("no", WITH_LABELS), ("unknown", UNKNOWN)):
        if any(run.label_free.split()[0].rstrip(":") == word for run in runs):
            return kind
    return _LABEL_FREE
