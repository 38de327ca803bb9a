"""The anomaly map of a volume, and the stages that find thresholds with maps."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unseg_bench import Artifact, Cohort, Image, Volume, Work, stage
from unseg_bench.blocks.normals import normal_places
from unseg_bench.blocks.thresholds import collect_best_dice, collect_normal_values

from .classes import Classes, Scan, to_scan
from .cube import from_cube
from .filters import smooth
from .fit import fit_codes, restore
from .options import MappingOptions
from .points import ScanSet
from .training import load_field


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A scan and its code. `first`, `last`: its cross-entropy at the first step of the fit and over the last steps."""

    scan: Scan
    code: Tensor
    first: float
    last: float


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What the field makes of a scan, cubes: the likeliest classes, the cross-entropy, and that smoothed."""

    fitted: Fitted
    decoded: Classes
    surprise: Image
    smoothed: Image


class Mapper:
    """Makes maps with a trained network. Cases of `cohort` are fitted in groups, in its order, others alone.

    Groups follow from the cohort alone, so it does not matter which of its cases comes first.
    """

    def __init__(self, trained: Artifact, options: MappingOptions, device: str, cohort: Cohort | None = None) -> None:
        self._options, self._device, self._cohort = options, device, cohort
        self._trained = load_field(trained, options.network, options.scan, device)
        self._fitted: dict[str, Fitted] = {}

    def map_of(self, volume: Volume) -> Image:
        """Return the smoothed cross-entropy on the volume's grid (X, Y, Z), in nats, 0 outside the brain."""
        if not volume.brain.any():
            return np.zeros(volume.shape, dtype=np.float32)
        views = self.views(volume)
        return from_cube(views.smoothed, views.fitted.scan.cube, volume)

    def views(self, volume: Volume) -> Views:
        """Return all steps to the map of a volume that has a brain."""
        fitted = self.fitted(volume)
        surprise, decoded = restore(self._trained.field, fitted.code, fitted.scan)
        smoothed = smooth(surprise, fitted.scan.cube.voxel_mm, self._options.smoothing)
        return Views(fitted, decoded, surprise, smoothed)

    def fitted(self, volume: Volume) -> Fitted:
        """Return a volume's scan and code; those of its group are fitted with it, and kept until the next group."""
        if volume.digest not in self._fitted:
            self._fitted = self._fit(self._group(volume))
        return self._fitted[volume.digest]

    def _group(self, volume: Volume) -> list[Volume]:
        if self._cohort is None or volume.case_id not in self._cohort.case_ids:
            return [volume]
        ids, together = self._cohort.case_ids, self._options.fit.cases
        start = ids.index(volume.case_id) // together * together
        others = (self._cohort[case_id] for case_id in ids[start : start + together] if case_id != volume.case_id)
        return [volume, *(one for one in others if one.brain.any())]

    def _fit(self, volumes: list[Volume]) -> dict[str, Fitted]:
        options, trained = self._options, self._trained
        scans = [to_scan(volume, trained.centres, options.scan) for volume in volumes]
        points = ScanSet(scans, self._device, options.cube_share)
        codes, losses = fit_codes(trained.field, points, options.fit, options.network.precision, trained.seed)
        first, last = losses[0], torch.stack(losses[-options.fit.steps[1] :]).mean(dim=0)
        return {
            volume.digest: Fitted(scan, code, float(first[number]), float(last[number]))
            for number, (volume, scan, code) in enumerate(zip(volumes, scans, codes, strict=True))
        }


@stage("implicit-field-normals", seeded=False)
def map_normals(work: Work, options: MappingOptions, *, cohort: Cohort, slices: Artifact, field: Artifact) -> None:
    """Collect the maps of held-out normals, each with a code of its own, fitted as a test case's, in normal slices."""
    mapper = Mapper(field, options, work.device, cohort)
    collect_normal_values(work, cohort, mapper.map_of, lambda volume: normal_places(volume, slices))


@stage("implicit-field-best-dice", seeded=False)
def map_labelled(work: Work, options: MappingOptions, *, cohort: Cohort, field: Artifact, masks: Artifact) -> None:
    """Find the threshold with the best Dice over the validation cases; `masks` are their references."""
    collect_best_dice(work, cohort, Mapper(field, options, work.device, cohort).map_of, masks.array)
