"""Any cohort of NIfTI files in a folder, described by patterns."""

from unseg_bench import Dataset, hookimpl

from .dataset import FolderDataset, FolderOptions
from .patterns import Pattern

__all__ = ["FolderDataset", "FolderOptions", "Pattern", "ubench_datasets"]


@hookimpl
def ubench_datasets() -> list[type[Dataset]]:
    """Register the data set."""
    return [FolderDataset]
