"""unseg-bench: how well does a method segment brain tumours without having been told where tumours are?

The names below are what a plugin needs; each is loaded when it is first used, so `import unseg_bench` loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unseg_bench.data.cohort import Cohort
    from unseg_bench.data.splits import Split
    from unseg_bench.data.supervision import Supervision
    from unseg_bench.data.volume import Image, Mask, Volume
    from unseg_bench.errors import (
        DataError,
        LabelAccessError,
        PluginError,
        RunError,
        ScoreError,
        SettingsError,
        UbenchError,
        WeightsError,
    )
    from unseg_bench.plugins.context import Artifact, Context, Labels, Stage, Work, stage
    from unseg_bench.plugins.dataset import DataCheck, Dataset, DatasetOptions, ImageFile, ReferenceFile
    from unseg_bench.plugins.explain import Explanation, Step
    from unseg_bench.plugins.hookspecs import hookimpl
    from unseg_bench.plugins.method import Method, MethodOptions

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "Cohort",
    "Context",
    "DataCheck",
    "DataError",
    "Dataset",
    "DatasetOptions",
    "Explanation",
    "Image",
    "ImageFile",
    "LabelAccessError",
    "Labels",
    "Mask",
    "Method",
    "MethodOptions",
    "PluginError",
    "ReferenceFile",
    "RunError",
    "ScoreError",
    "SettingsError",
    "Split",
    "Stage",
    "Step",
    "Supervision",
    "UbenchError",
    "Volume",
    "WeightsError",
    "Work",
    "hookimpl",
    "stage",
]

_HOMES = {
    "unseg_bench.data.cohort": ("Cohort",),
    "unseg_bench.data.splits": ("Split",),
    "unseg_bench.data.supervision": ("Supervision",),
    "unseg_bench.data.volume": ("Image", "Mask", "Volume"),
    "unseg_bench.errors": (
        "DataError",
        "LabelAccessError",
        "PluginError",
        "RunError",
        "ScoreError",
        "SettingsError",
        "UbenchError",
        "WeightsError",
    ),
    "unseg_bench.plugins.context": ("Artifact", "Context", "Labels", "Stage", "Work", "stage"),
    "unseg_bench.plugins.dataset": ("DataCheck", "Dataset", "DatasetOptions", "ImageFile", "ReferenceFile"),
    "unseg_bench.plugins.explain": ("Explanation", "Step"),
    "unseg_bench.plugins.hookspecs": ("hookimpl",),
    "unseg_bench.plugins.method": ("Method", "MethodOptions"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'unseg_bench' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
