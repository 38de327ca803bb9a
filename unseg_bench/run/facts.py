"""What the record of every run begins with, wherever its predictions come from."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from unseg_bench.data.splits import Split
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.device import machine, package_versions
from unseg_bench.run.settings import RunSettings


def first_facts(dataset: Dataset, split: Split, settings: RunSettings, case_ids: Sequence[str]) -> dict[str, Any]:
    """Return the entries of run.json on data, settings and machine; the data set's options with their defaults."""
    settings = settings.model_copy(update={"dataset_options": dataset.options.model_dump(mode="json")})
    return {
        "dataset": dataset.name,
        "dataset_identity": dataset.identity(),
        "patients": {case_id: patient for case_id in case_ids if (patient := dataset.patient(case_id)) != case_id},
        "left_out": list(dataset.left_out()),
        "evidence": dataset.evidence,
        "split": split.name,
        "part": settings.part,
        "cases": list(case_ids),
        "settings": settings.model_dump(mode="json"),
        "versions": package_versions(),
        "machine": machine(),
    }


def utc_now() -> str:
    """Return the time as run.json has it: UTC, ISO 8601, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
