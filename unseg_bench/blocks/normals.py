"""Where 'normal' comes from: the slices that an anomaly method learns from, and those that it finds thresholds with.

CLIP, the data set, true slice labels or nobody says which slices are normal; a method's table names who did.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from unseg_bench.blocks.clip.labels import NORMAL, ClipModel, ClipOptions, LabelOptions
from unseg_bench.blocks.clip.tags import clip_weights_name
from unseg_bench.blocks.costs import clip_cost, slices
from unseg_bench.blocks.references import digest_of_slices
from unseg_bench.blocks.slices import brain_slices
from unseg_bench.blocks.working_volumes import at_spacing
from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Context, Work, stage
from unseg_bench.plugins.cost import Cost
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.method import MethodOptions

NormalSource: TypeAlias = Literal["clip", "healthy", "slice-labels", "all"]

PURPOSE = "find normal slices"
TENTHS = tuple(f"{low}-{low + 10} %" for low in range(0, 100, 10))
"""Heights in the brain, from its lowest slice to its highest."""

_COUNTS = "counts.json"
_REMEDIES: Mapping[NormalSource, str] = {
    "clip": "try other captions (normals.clip.normal_captions, normals.clip.tumour_captions), more training cases, or "
    "another normals.source",
    "healthy": "name more images with --healthy GLOB, or set normals.source=clip",
    "slice-labels": "give more training cases, or set normals.source=clip",
    "all": "give more training cases",
}


class NormalsOptions(MethodOptions):
    """Which slices count as normal.

    - `clip`: those of the training part that CLIP calls normal, as CLISC's first step does
    - `healthy`: all of the cases that the data set declares free of tumour (`--healthy GLOB`)
    - `slice-labels`: those of the training part without tumour in the reference, as the reference codes of AMCons and
      GradCAMCons have it; declares slice labels
    - `all`: all of the training part, tumours too: label-free, but contaminated
    """

    source: NormalSource = "clip"
    held_out: float = Field(default=0.2, gt=0, lt=1)
    """Share of the cases that no network learns from, at least one: thresholds are found with them."""
    min_brain_share: float = Field(default=0.01, ge=0, lt=1)
    """Slices with less than this share of the largest slice's brain area are no one's normals."""
    clip: ClipOptions = ClipOptions()
    labels: LabelOptions = LabelOptions()

    @property
    def weights(self) -> tuple[str, ...]:
        """The weights that finding normal slices needs: CLIP's, where it is asked."""
        return (clip_weights_name(self.clip.model, self.clip.pretrained),) if self.source == "clip" else ()

    def costs(self, cases: int) -> list[Cost]:
        """Return what finding normal slices in so many cases costs."""
        if self.source != "clip":
            return []
        small, depends = self.clip.pretrained == "miniature", digest_of(self.clip.model_dump(mode="json"))
        return [clip_cost("clip-probabilities", cases * slices(None), miniature=small, depends=depends)]


class MarkOptions(MethodOptions):
    """What the stage 'normal-slices' reads."""

    min_brain_share: float


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """Normal slices of two disjoint sets of cases. `slices`: `<case>.npy`, (Z,) bool, of every case of both."""

    train: Cohort
    held_out: Cohort
    slices: Artifact


def normal_places(volume: Volume, slices: Artifact) -> Mask:
    """Return the brain in the normal slices of a case, (X, Y, Z); `slices`: those of `Normals`."""
    return volume.brain & np.array(slices.array(volume.case_id))


def normals_supervision(source: NormalSource, reads_validation_masks: bool) -> Supervision:
    """Return what a method must declare that finds its normals so, and may read the validation masks."""
    if source == "slice-labels":
        return Supervision.SLICE_LABELS_AND_VALIDATION_MASKS if reads_validation_masks else Supervision.SLICE_LABELS
    return Supervision.VALIDATION_MASKS if reads_validation_masks else Supervision.NONE


def find_normals(
    training: Cohort, options: NormalsOptions, context: Context, spacing_mm: float | None = None
) -> Normals:
    """Find normal slices and set cases aside; counts and heights become the run's table 'normals'.

    `training`: the part as `fit` is given it. `spacing_mm`: the isotropic working grid that volumes and slices come
    on, None: the images' own. Cases are drawn by seed and id. Raises RunError when fewer than two cases have one.
    """
    cohort = at_spacing(_searched(training, options, context), spacing_mm, context.run)
    labels = None
    if options.source == "clip":
        labels = ClipModel(options.clip, context).label(cohort, options.labels, context.run, required=True)
    tumour = _true_slices(training, context) if options.source == "slice-labels" else {}
    slices = context.run(
        mark_normal_slices, MarkOptions(min_brain_share=options.min_brain_share), extras={"tumour": tumour},
        cohort=cohort, labels=labels or "", true_slices=digest_of_slices(tumour) if tumour else "",
    )  # fmt: skip
    counts: dict[str, list[int]] = json.loads(slices.path(_COUNTS).read_text(encoding="utf-8"))
    found = [case_id for case_id in cohort.case_ids if any(counts[case_id])]
    if len(found) < 2:
        raise RunError(
            f"normals.source={options.source}: {len(found)} of {len(cohort)} cases have a normal slice, and two are "
            f"needed: one to learn from, one to find thresholds with; {_REMEDIES[options.source]}"
        )
    held_out = set_aside(found, options.held_out, context.seed)
    train = [case_id for case_id in found if case_id not in held_out]
    _record(options.source, counts, {"train": train, "held-out": held_out}, context)
    return Normals(cohort.part(train), cohort.part(held_out), slices)


def set_aside(case_ids: Sequence[str], share: float, seed: int) -> list[str]:
    """Return the cases that are held out: that share, at least one and not all, first by SHA-256 of seed and id.

    So one more case changes nothing for the others but the number.
    """
    count = min(max(round(share * len(case_ids)), 1), len(case_ids) - 1)
    order = sorted(case_ids, key=lambda case_id: hashlib.sha256(f"{seed} {case_id}".encode()).hexdigest())
    return sorted(order[:count])


@stage("normal-slices", seeded=False)
def mark_normal_slices(
    work: Work,
    options: MarkOptions,
    *,
    cohort: Cohort,
    labels: Artifact | str,
    true_slices: str,
    tumour: Mapping[str, NDArray[np.bool_]],
) -> None:
    """Write `<case>.npy`, (Z,) bool, and `counts.json`: how many of each case lie in each tenth of the brain's height.

    `labels`: CLIP's, '' for none. `tumour`: which slices of each case's image have tumour, empty where nobody is asked;
    `true_slices` is its digest.
    """
    counts: dict[str, list[int]] = {}
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        normal = np.zeros(volume.shape[2], dtype=np.bool_)
        normal[brain_slices(volume.brain, options.min_brain_share)] = True
        if isinstance(labels, Artifact):
            normal &= labels.array(volume.case_id) == NORMAL
        if volume.case_id in tumour:
            normal &= ~touched(tumour[volume.case_id], len(normal))
        np.save(work.folder / f"{volume.case_id}.npy", normal, allow_pickle=False)
        counts[volume.case_id] = count_by_height(normal, volume.brain)
    write_json(work.folder / _COUNTS, counts)


def touched(slices: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Bring (Z,) to `count` slices over the same height: True where a slice has any of a True one in it."""
    edges = np.arange(count + 1) * len(slices)
    first, end = edges[:-1] // count, -(-edges[1:] // count)
    return np.array([slices[low:high].any() for low, high in zip(first, end, strict=True)], dtype=np.bool_)


def count_by_height(normal: NDArray[np.bool_], brain: Mask) -> list[int]:
    """Return how many normal slices have their middle in each tenth from the lowest brain slice to the highest."""
    inside = brain_slices(brain)
    if not len(inside):
        return [0] * len(TENTHS)
    low, high = int(inside[0]), int(inside[-1]) + 1
    tenth = ((2 * (np.flatnonzero(normal) - low) + 1) * len(TENTHS)) // (2 * (high - low))
    return np.bincount(tenth, minlength=len(TENTHS)).tolist()


def _searched(training: Cohort, options: NormalsOptions, context: Context) -> Cohort:
    if options.source != "healthy":
        return training
    healthy = context.healthy
    if not len(healthy):
        raise RunError(
            "normals.source=healthy: the data set declares no healthy case; give --healthy GLOB, or set "
            "normals.source=clip"
        )
    return healthy


def _true_slices(training: Cohort, context: Context) -> dict[str, NDArray[np.bool_]]:
    return {case_id: context.labels.slice_labels(case_id, PURPOSE) for case_id in training.case_ids}


def _record(
    source: NormalSource, counts: Mapping[str, Sequence[int]], parts: Mapping[str, Sequence[str]], context: Context
) -> None:
    """Write the table 'normals', a row for all heights of each part, then one for each tenth; and a note of the cases.

    `cases`: with a normal slice there.
    """
    by_part = {part: np.array([counts[case_id] for case_id in case_ids]) for part, case_ids in parts.items()}
    whole = [(part, "all", by_case.sum(axis=1)) for part, by_case in by_part.items()]
    tenths = [
        (part, height, column)
        for part, by_case in by_part.items()
        for height, column in zip(TENTHS, by_case.T, strict=True)
    ]
    context.table("normals", [_row(source, *described) for described in (*whole, *tenths)])
    context.note("normals", {"source": source, **{part: list(case_ids) for part, case_ids in parts.items()}})


def _row(source: str, part: str, height: str, slices: NDArray[np.int_]) -> dict[str, str | float | bool | None]:
    cases = int(np.count_nonzero(slices))
    return {"source": source, "part": part, "height": height, "cases": cases, "slices": int(slices.sum())}
