"""A run that found nothing anywhere says so: in run.json ('all_empty'), at its end, and wherever it is shown."""

from collections.abc import Sequence

from unseg_bench.data.nifti import read_labels
from unseg_bench.run.folder import RunFolder


def finds_nothing(run: RunFolder, case_ids: Sequence[str]) -> bool:
    """Whether there are predictions and none of them has a voxel; opens them until one has."""
    files = [path for case_id in case_ids if (path := run.prediction(case_id)).is_file()]
    return bool(files) and not any(read_labels(path).data.any() for path in files)


def empty_text(run: RunFolder) -> str:
    """Return the sentence on a run that found nothing, '' for any other."""
    record = run.record
    if not record.get("all_empty"):
        return ""
    predictions = len(record["cases"]) - len(run.failed_cases)
    return f"every prediction is empty ({predictions} of {predictions}): the method found no tumour in any case"
