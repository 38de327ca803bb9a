"""From an anomaly map to a mask: thresholds found without labels, and the labelled one of the reference codes.

A method makes two stages of these functions, since what its maps look like is its own code: one that calls
`collect_normal_values` on held-out normals, and, for the rule 'best-dice', one that calls `collect_best_dice`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from unseg_bench.blocks.components import largest_component
from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.overlap import best_level
from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Context, Work
from unseg_bench.plugins.method import MethodOptions

MapOf: TypeAlias = Callable[[Volume], Image]
"""The anomaly map (X, Y, Z) of a volume on its own grid, float32, high where it is unlike normal tissue."""

PlacesOf: TypeAlias = Callable[[Volume], Mask]
"""Where a map counts, (X, Y, Z): inside the brain, and for a normal case on its normal slices."""

_VALUES, _BEST = "values", "best-dice.json"


class ThresholdOptions(MethodOptions):
    """How the map becomes a mask.

    - `quantile`: above that quantile of the map over held-out normals (what share of normal tissue may be called
      tumour); `also` are reported from the same run
    - `otsu`: above Otsu's threshold of the case's own map inside the brain
    - `best-dice`: above the threshold with the best Dice over all voxels of the validation cases together, as the
      reference codes choose theirs (there on the cases that are scored); reads the validation masks
    """

    rule: Literal["quantile", "otsu", "best-dice"] = "quantile"
    quantile: float = Field(default=0.98, gt=0, lt=1)
    also: tuple[float, ...] = (0.95, 0.99)
    """More quantiles, each scored beside the answer (`ubench thresholds RUN`)."""
    component: Literal["all", "largest"] = "all"
    """Keep all that lies above, or the largest connected component."""

    @field_validator("also")
    @classmethod
    def _shares(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < quantile < 1 for quantile in quantiles):
            raise ValueError("quantiles lie between 0 and 1, e.g. 0.95")
        return quantiles

    @property
    def reads_masks(self) -> bool:
        """Whether the rule reads the validation masks."""
        return self.rule == "best-dice"

    @property
    def quantiles(self) -> tuple[float, ...]:
        """All quantiles, ascending, each once."""
        return tuple(sorted({self.quantile, *self.also}))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of a run. `values`: by name ('q0.98', 'best-dice'); `chosen`: the name that answers, or 'otsu'."""

    options: ThresholdOptions
    values: Mapping[str, float]
    chosen: str

    def apply(self, volume: Volume, scores: Image, context: Context) -> Mask:
        """Return the mask of a case; its map and the answers of the other thresholds are handed to `context`.

        `scores`: the anomaly map (X, Y, Z). Nothing outside the brain is ever tumour; no voxel may be.
        """
        context.keep_map(volume, scores)
        masks = {name: self._above(volume, scores, value) for name, value in self.values.items()}
        if self.chosen == "otsu":
            inside = scores[volume.brain]
            masks["otsu"] = self._above(volume, scores, otsu(inside) if len(inside) else 0.0)
        for name, mask in masks.items():
            if name != self.chosen:
                context.alternative(volume, name, mask)
        return masks[self.chosen]

    def _above(self, volume: Volume, scores: Image, threshold: float) -> Mask:
        mask = (scores > threshold) & volume.brain
        return largest_component(mask) if self.options.component == "largest" else mask


def find_thresholds(
    options: ThresholdOptions, context: Context, normal_values: Artifact, best: Artifact | None = None
) -> Thresholds:
    """Return the thresholds of a run and write them into its table 'thresholds'.

    `normal_values`: what `collect_normal_values` wrote; `best`: what `collect_best_dice` wrote. Raises ValueError for
    the rule 'best-dice' without it.
    """
    if options.reads_masks and best is None:
        raise ValueError("the rule 'best-dice' needs what collect_best_dice wrote")
    values = normal_values.array(_VALUES)
    # In double precision: that of the values is too coarse for the place of a quantile among many millions.
    found = np.quantile(values, np.array(options.quantiles, dtype=np.float64))
    levels = {f"q{quantile}": float(level) for quantile, level in zip(options.quantiles, found, strict=True)}
    if best is not None:
        levels["best-dice"] = float(json.loads(best.path(_BEST).read_text(encoding="utf-8"))["threshold"])
    chosen = f"q{options.quantile}" if options.rule == "quantile" else options.rule
    shares = {name: float(np.mean(values > value)) for name, value in levels.items()}
    rows: list[dict[str, str | float | bool | None]] = [
        {"name": name, "value": value, "chosen": name == chosen, "labels": name == "best-dice", "normal_share": share}
        for (name, value), share in zip(levels.items(), shares.values(), strict=True)
    ]
    if chosen == "otsu":
        rows.append({"name": "otsu", "value": None, "chosen": True, "labels": False, "normal_share": None})
    context.table("thresholds", rows)
    return Thresholds(options, levels, chosen)


def collect_normal_values(work: Work, cohort: Cohort, map_of: MapOf, places_of: PlacesOf) -> None:
    """Write `values.npy`: the map over the places of every held-out normal case, (N,) float32.

    Raises RunError when there is no such place, or a value there that is not finite.
    """
    found: list[NDArray[np.float32]] = []
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        found.append(_finite(map_of(volume)[places_of(volume)], volume))
    values = np.concatenate([np.zeros(0, np.float32), *found])
    if not len(values):
        raise RunError("no voxel of a held-out normal case is left to find a threshold with; see normals.held_out")
    np.save(work.folder / f"{_VALUES}.npy", values, allow_pickle=False)


def collect_best_dice(work: Work, cohort: Cohort, map_of: MapOf, mask_of: Callable[[str], Mask]) -> None:
    """Write the threshold with the best Dice over all brain voxels of a labelled cohort together, and that Dice.

    `mask_of`: how to read a case's reference. Raises RunError when the cohort has no tumour, or a map a value that is
    not finite.
    """
    scores: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.bool_]] = []
    outside = 0
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        mask = mask_of(volume.case_id)
        scores.append(_finite(map_of(volume)[volume.brain], volume))
        labels.append(mask[volume.brain])
        outside += int(np.count_nonzero(mask & ~volume.brain))
    if not any(label.any() for label in labels):
        raise RunError(f"thresholds.rule 'best-dice': the {len(cohort)} validation cases have no tumour to choose by")
    threshold, dice = best_dice(np.concatenate(scores), np.concatenate(labels), outside)
    write_json(work.folder / _BEST, {"threshold": threshold, "dice": dice, "cases": len(cohort)})


def best_dice(scores: NDArray[np.float32], labels: NDArray[np.bool_], missed: int = 0) -> tuple[float, float]:
    """Return the threshold whose voxels above it have the best Dice with `labels`, and that Dice; both (N,).

    `labels` has a tumour; `missed`: tumour voxels that no threshold can find. Above is strictly above, so the threshold
    is a score or, to have all voxels, the largest number below the lowest one.
    """
    level, dice = best_level(scores, labels, int(np.count_nonzero(labels)) + missed)
    assert level is not None  # noqa: S101 - there is a tumour in `labels`
    lower = scores[scores < level]
    below = lower.max() if lower.size else np.nextafter(np.float32(level), np.float32(-np.inf))
    return float(below), dice


def _finite(scores: NDArray[np.float32], volume: Volume) -> NDArray[np.float32]:
    if not np.isfinite(scores).all():
        raise RunError(
            f"the anomaly map of case {volume.case_id} has values that are not finite, so it has no threshold; "
            "did the training diverge? Try a lower learning rate"
        )
    return scores
