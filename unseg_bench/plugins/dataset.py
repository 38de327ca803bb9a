"""The role of a data set: it names cases, their image files, their reference masks and the split."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic

from typing_extensions import TypeVar

from unseg_bench.data.files import DataCheck, ImageFile, Progress, ReferenceFile
from unseg_bench.data.splits import Split
from unseg_bench.plugins.options import PluginOptions, named_options

__all__ = ["DataCheck", "Dataset", "DatasetOptions", "ImageFile", "Progress", "ReferenceFile"]


class DatasetOptions(PluginOptions):
    """Base of a data set's options; unknown names, infinity and NaN are refused."""


OptionsT_co = TypeVar("OptionsT_co", bound=DatasetOptions, default=DatasetOptions, covariant=True)


class Dataset(ABC, Generic[OptionsT_co]):
    """One data set, opened with its options. Subclass it and register it with the hook `ubench_datasets`.

    `Dataset[MyOptions]` names the class of its options; `self.options` is one of these.
    Images and references are files; `image` and `reference` may make them on the first call, and `made_from` then says
    what from (the phantom does).
    Only `unseg_bench.data.labels` opens what `reference` names.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    evidence: ClassVar[bool] = True
    """False when figures on this data set say nothing about real methods on real patients."""
    default_preset: ClassVar[str] = "paper"
    """The preset that methods use on this data set when the user names none."""
    makers: ClassVar[tuple[str, ...]] = ()
    """Modules with which this data set's references could be made again; a sealed method cannot read them."""
    Options: ClassVar[type[DatasetOptions]] = DatasetOptions

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.Options = named_options(cls, cls.Options)

    def __init__(self, options: OptionsT_co) -> None:
        """Open the data set; raises DataError naming the folder or option when it cannot be used."""
        self.options = options

    @abstractmethod
    def identity(self) -> dict[str, object]:
        """Return what makes two openings the same data (JSON values; never a path of this machine)."""

    @abstractmethod
    def split(self) -> Split:
        """Return the case ids of each part."""

    @abstractmethod
    def image(self, case_id: str) -> ImageFile:
        """Return the FLAIR file of a case; raises DataError when it is missing."""

    @abstractmethod
    def reference(self, case_id: str) -> ReferenceFile | None:
        """Return the reference mask's file of a case, or None where the data set has none for it."""

    def made_from(self, case_id: str) -> dict[str, object] | None:
        """Return what a case's files are made from when they are first asked for, None where files are read (default).

        JSON values that decide every voxel, the code's digest among them, and never a path. They identify the case
        where a run is planned, so that nothing is made for that.
        """
        return None

    def patient(self, case_id: str) -> str:
        """Return the patient of a case, who may have several (sessions); by default each has one."""
        return case_id

    def left_out(self) -> tuple[str, ...]:
        """Return sentences on files that look like cases of this data set and are not used; none by default."""
        return ()

    def healthy(self) -> tuple[str, ...]:
        """Return ids of cases that are declared free of tumour and belong to no part of the split."""
        return ()

    def check(self, progress: Progress) -> DataCheck:
        """Look at every file and say what is missing, wrong in shape or unreadable."""
        from unseg_bench.data.check import check_cases

        return check_cases(self, progress)
