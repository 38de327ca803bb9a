"""unseg-bench: how well does a method segment brain tumours without having been told where tumours are?

The names below are what a plugin needs, and run, score, compare and report of `unseg_bench.api`. Each is loaded when it
is first used, so `import unseg_bench` loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from unseg_bench.version import __version__ as __version__

if TYPE_CHECKING:
    from unseg_bench.api import compare, report, run, score
    from unseg_bench.data.atomic import write_json
    from unseg_bench.data.check import CaseReport, describe_cases, inspect_cases
    from unseg_bench.data.cohort import Cohort
    from unseg_bench.data.nifti import write_image
    from unseg_bench.data.not_fetched import not_fetched
    from unseg_bench.data.paths import cache_dir, check_case_id
    from unseg_bench.data.splits import Split, split_all_test, split_by_ratio, split_from_files
    from unseg_bench.data.supervision import Supervision
    from unseg_bench.data.volume import Image, Mask, Volume
    from unseg_bench.errors import (
        DataError,
        DiskFullError,
        LabelAccessError,
        PluginError,
        RunError,
        ScoreError,
        SettingsError,
        UbenchError,
        WeightsError,
    )
    from unseg_bench.plugins.conformance import check_method
    from unseg_bench.plugins.context import Artifact, Context, Labels, Stage, Work, stage
    from unseg_bench.plugins.cost import CaseCounts, Cost
    from unseg_bench.plugins.dataset import DataCheck, Dataset, DatasetOptions, ImageFile, Progress, ReferenceFile
    from unseg_bench.plugins.explain import Box, Explanation, Point, Step
    from unseg_bench.plugins.hookspecs import hookimpl
    from unseg_bench.plugins.method import Method, MethodOptions, Study
    from unseg_bench.plugins.metric import Metric
    from unseg_bench.plugins.recipes import MethodsPart, Recipe, StudyPart, SweepPart
    from unseg_bench.words import count_text, first_of

__all__ = [
    "Artifact",
    "Box",
    "CaseCounts",
    "CaseReport",
    "Cohort",
    "Context",
    "Cost",
    "DataCheck",
    "DataError",
    "Dataset",
    "DatasetOptions",
    "DiskFullError",
    "Explanation",
    "Image",
    "ImageFile",
    "LabelAccessError",
    "Labels",
    "Mask",
    "Method",
    "MethodOptions",
    "MethodsPart",
    "Metric",
    "PluginError",
    "Point",
    "Progress",
    "Recipe",
    "ReferenceFile",
    "RunError",
    "ScoreError",
    "SettingsError",
    "Split",
    "Stage",
    "Step",
    "Study",
    "StudyPart",
    "Supervision",
    "SweepPart",
    "UbenchError",
    "Volume",
    "WeightsError",
    "Work",
    "cache_dir",
    "check_case_id",
    "check_method",
    "compare",
    "count_text",
    "describe_cases",
    "first_of",
    "hookimpl",
    "inspect_cases",
    "not_fetched",
    "report",
    "run",
    "score",
    "split_all_test",
    "split_by_ratio",
    "split_from_files",
    "stage",
    "write_image",
    "write_json",
]

_HOMES = {
    "unseg_bench.data.atomic": ("write_json",),
    "unseg_bench.data.check": ("CaseReport", "describe_cases", "inspect_cases"),
    "unseg_bench.data.cohort": ("Cohort",),
    "unseg_bench.data.nifti": ("write_image",),
    "unseg_bench.data.not_fetched": ("not_fetched",),
    "unseg_bench.data.paths": ("cache_dir", "check_case_id"),
    "unseg_bench.data.splits": ("Split", "split_all_test", "split_by_ratio", "split_from_files"),
    "unseg_bench.data.supervision": ("Supervision",),
    "unseg_bench.data.volume": ("Image", "Mask", "Volume"),
    "unseg_bench.errors": (
        "DataError",
        "DiskFullError",
        "LabelAccessError",
        "PluginError",
        "RunError",
        "ScoreError",
        "SettingsError",
        "UbenchError",
        "WeightsError",
    ),
    "unseg_bench.plugins.conformance": ("check_method",),
    "unseg_bench.plugins.context": ("Artifact", "Context", "Labels", "Stage", "Work", "stage"),
    "unseg_bench.plugins.cost": ("CaseCounts", "Cost"),
    "unseg_bench.plugins.dataset": ("DataCheck", "Dataset", "DatasetOptions", "ImageFile", "Progress", "ReferenceFile"),
    "unseg_bench.plugins.explain": ("Box", "Explanation", "Point", "Step"),
    "unseg_bench.plugins.hookspecs": ("hookimpl",),
    "unseg_bench.plugins.method": ("Method", "MethodOptions", "Study"),
    "unseg_bench.plugins.metric": ("Metric",),
    "unseg_bench.plugins.recipes": ("MethodsPart", "Recipe", "StudyPart", "SweepPart"),
    "unseg_bench.words": ("count_text", "first_of"),
}
_CALLABLE = ("compare", "report", "run", "score")
"""Packages that are functions too (see `unseg_bench.callable_packages`)."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name in _CALLABLE:
        return import_module(f"unseg_bench.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'unseg_bench' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
