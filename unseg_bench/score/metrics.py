"""The metrics of this package, one list; a plugin adds others by the hook `ubench_metrics`.

Loads the standard library alone: a comparison needs what is said of a metric here, and never its function.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from unseg_bench.errors import PluginError, SettingsError
from unseg_bench.plugins.metric import DIAGONAL, Metric
from unseg_bench.plugins.names import did_you_mean

if TYPE_CHECKING:
    from unseg_bench.plugins.manager import Plugins
    from unseg_bench.score.distances import MaskPair

SURFACE_TOLERANCE_MM = 2.0
"""Tolerance of `surface_dsc`: two voxels of BraTS, one of the 2 mm phantom."""
SCORE_AGAIN = "the same `ubench run` or `ubench score` command scores again"
"""The remedy for scores that lack something."""
BOTH = "both"
"""On the command line: the two metrics that every table shows."""
_TAKEN = {
    *("alternative", "case", "tumour_ml", "predicted_ml", "diagonal_mm", "flags", "group", BOTH),
    *("prediction_sha256", "reference_sha256", "tumour_sha256"),
    *("dataset", "split", "part", "evidence", "method", "label", "label_free", "is_floor", "below_floor"),
    *("seeds", "empty_predictions", "missing"),
}
"""Other columns of the files that have one of each metric."""

OfPair: TypeAlias = "Callable[[MaskPair], float]"


def _share(name: str, title: str, about: str) -> Metric:
    """A metric of 0-1, shown in percent."""
    return Metric(
        name=name, title=title, unit="%", scale=100.0, higher_is_better=True, best=1.0, worst=0.0, about=about
    )


def _distance(name: str, title: str, about: str) -> Metric:
    """A distance between surfaces in mm."""
    return Metric(name=name, title=title, unit="mm", higher_is_better=False, best=0.0, worst=DIAGONAL, about=about)


def _surface_dsc(pair: "MaskPair") -> float:
    from unseg_bench.score.distances import surface_dsc

    return surface_dsc(pair, SURFACE_TOLERANCE_MM)


MEASURED: tuple[tuple[Metric, OfPair], ...] = (
    (
        _share("dsc", "DSC", "the Dice similarity coefficient"),
        lambda pair: 2.0 * pair.common_count / (pair.prediction_count + pair.reference_count),
    ),
    (
        _distance("hd95_mm", "HD95", "the 95th percentile of the Hausdorff distance"),
        lambda pair: pair.borders.hd95_mm(),
    ),
    (
        _distance("hd_max_mm", "HD", "the Hausdorff distance, the largest distance from one surface to the other"),
        lambda pair: pair.borders.hd_max_mm(),
    ),
    (
        _distance(
            "hd95_max_directed_mm",
            "HD95 max. directed",
            "the larger of both directions' 95th percentiles of the surface distances",
        ),
        lambda pair: pair.borders.hd95_max_directed_mm(),
    ),
    (
        _share(
            "surface_dsc",
            f"surface DSC at {SURFACE_TOLERANCE_MM:g} mm",
            f"the share of both surfaces that lies within {SURFACE_TOLERANCE_MM:g} mm of the other",
        ),
        _surface_dsc,
    ),
    (
        _share("precision", "precision", "the share of the prediction that is tumour"),
        lambda pair: pair.common_count / pair.prediction_count,
    ),
    (
        _share("recall", "recall", "the share of the tumour that is predicted"),
        lambda pair: pair.common_count / pair.reference_count,
    ),
)
"""Each with its function of two masks that both have voxels: the list that a metric of this package is added to."""

BUILT_IN: Mapping[str, Metric] = {metric.name: metric for metric, _ in MEASURED}
"""By name, in the order of their columns in scores.csv."""
DSC, HD95 = BUILT_IN["dsc"], BUILT_IN["hd95_mm"]
DEFAULT: tuple[Metric, ...] = (DSC, HD95)
"""What every table shows; the others are there for who asks."""


def find_metric(word: str, known: Mapping[str, Metric], option: str = "--metric") -> Metric:
    """Return the metric of this name, its unit left out or not. Raises: SettingsError naming those that there are."""
    for metric in known.values():
        if word in {metric.name, metric.short}:
            return metric
    from unseg_bench.plugins.manager import load_plugins

    if any(word in {metric.name, metric.short} for metric in load_plugins().metrics.values()):
        raise SettingsError(f"{option} {word}: no run here was scored by it; {SCORE_AGAIN}")
    names = [metric.short for metric in known.values()]
    raise SettingsError(f"{option} {word}: there is no such metric.{did_you_mean(word, names)}")


def metrics_of(record: Mapping[str, Any]) -> dict[str, Metric]:
    """Return the metrics that a run was scored by, from its record: those of this package, then those of plugins."""
    found = {name: Metric.of_record(name, facts) for name, facts in record.get("metrics", {}).items()}
    return {**BUILT_IN, **{name: metric for name, metric in found.items() if name not in BUILT_IN}}


def plugin_metrics(plugins: "Plugins") -> tuple[Metric, ...]:
    """Return the metrics that plugins bring. Raises: PluginError where a name, with its unit or without, is taken."""
    taken = {*_TAKEN, *(word for metric in BUILT_IN.values() for word in (metric.name, metric.short))}
    for metric in plugins.metrics.values():
        if taken & {metric.name, metric.short}:
            raise PluginError(
                f"metric '{metric.name}' of {metric.measure.__module__}: this name is taken; "
                "choose another one there, or uninstall it"
            )
        taken |= {metric.name, metric.short}
    return tuple(plugins.metrics.values())
