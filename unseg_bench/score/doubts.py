"""What a reader of a run's scores must be told: cases without a reference, and what is hardly meant as it is."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from unseg_bench.data.labels import not_counted
from unseg_bench.errors import DataError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.run.facts import empty_text
from unseg_bench.run.folder import RunFolder
from unseg_bench.score.record import CaseScore, Flag
from unseg_bench.words import count_text, first_of


def without_reference(dataset: Dataset, case_ids: Sequence[str]) -> list[str]:
    """Return the cases for which the data set has no reference; one that should be there and is not is none of them."""
    bare: list[str] = []
    for case_id in case_ids:
        with suppress(DataError):
            bare += [case_id] if dataset.reference(case_id) is None else []
    return bare


def doubts_of(scores: Sequence[CaseScore], uncounted: Collection[int]) -> list[str]:
    """Say what is doubtful about scores: labels of the references that do not count, predictions that are all tumour.

    `uncounted`: the labels above 0 that were met in references and are no tumour by the data set's options.
    """
    found: list[str] = []
    if uncounted:
        found.append(f"the references {not_counted(uncounted)}")
    if full := [score.case for score in scores if Flag.FULL_PREDICTION in score.flags]:
        found.append(f"the prediction fills the whole grid: {count_text(len(full), 'case')}, {first_of(full)}")
    return found


def remarks(run: RunFolder) -> list[str]:
    """Return the sentences on a run that belong beside its numbers."""
    record = run.record
    found = [*record.get("left_out", []), *record.get("source", {}).get("doubts", []), *record.get("doubts", [])]
    if bare := record.get("without_reference", []):
        found.append(f"no reference, so predicted and not scored: {count_text(len(bare), 'case')}, {first_of(bare)}")
    return [*found, *filter(None, [empty_text(run)])]
