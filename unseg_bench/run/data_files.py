"""Where a data set's files lie, as far as they are there: what a method must not open by itself."""

from collections.abc import Sequence
from pathlib import Path

from unseg_bench.data.files import if_there
from unseg_bench.plugins.dataset import Dataset


def image_files(dataset: Dataset, case_ids: Sequence[str]) -> list[Path]:
    """Return the image files of these cases."""
    return [file.path for case_id in case_ids if (file := if_there(dataset.image, case_id)) is not None]


def reference_files(dataset: Dataset, case_ids: Sequence[str]) -> list[Path]:
    """Return the reference files of these cases."""
    return [file.path for case_id in case_ids if (file := if_there(dataset.reference, case_id)) is not None]


def data_folders(dataset: Dataset) -> list[Path]:
    """Return the folders and files that the data set's options name."""
    named = [value for _, value in dataset.options if isinstance(value, Path)]
    return [path.expanduser().resolve() for path in named]


def data_files(dataset: Dataset, case_ids: Sequence[str]) -> list[Path]:
    """Return images and references of these cases, and the folders that the data set's options name."""
    return [*image_files(dataset, case_ids), *reference_files(dataset, case_ids), *data_folders(dataset)]
