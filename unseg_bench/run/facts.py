"""What the record of every run says, wherever its predictions come from, and what people read of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from unseg_bench.data.nifti import read_labels
from unseg_bench.data.splits import Split
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.device import CPU, Device, machine, package_versions
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.settings import RunSettings
from unseg_bench.words import bytes_text


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


def note_peak(run: RunFolder, peak: Mapping[str, int]) -> None:
    """Write the most memory of any call so far into run.json, in bytes: of the method's process, and of the GPU."""
    before: dict[str, int] = run.record.get("peak_memory", {})
    run.update({"peak_memory": {**before, **{name: max(size, before.get(name, 0)) for name, size in peak.items()}}})


def device_text(record: Mapping[str, Any]) -> str:
    """Return the device of a run and the most memory that was held on it, in words; '' where it was not recorded."""
    if not (named := record.get("device")):
        return ""
    device, peak = Device.from_json(named), record.get("peak_memory", {})
    of_gpu = device.kind != CPU and "gpu" in peak
    size = peak.get("gpu" if of_gpu else "process")
    whose = "" if of_gpu or device.kind == CPU else " by the process, nothing on the GPU"
    return device.text + (f", at most {bytes_text(size)} used{whose}" if size else "")


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


def failed_text(title: str, failed: dict[str, str], cases: int) -> str:
    """Say how many cases failed, the first one and its reason, and how to try again."""
    case_id, reason = next(iter(failed.items()))
    return (
        f"{title}: {len(failed)} of {cases} cases failed, first {case_id} ({reason}); "
        "the same command tries those again"
    )
