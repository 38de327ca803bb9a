"""SAM on a volume, slice by slice: each axial slice is encoded once, whatever is asked of it and how often.

What the encoder makes of a slice is rounded to half precision, kept or not, so that keeping it changes no result.
Measured against the package's masks of unrounded features, a box and five points a slice: mask IoU 1.0000 in all of 20
slices with the miniature, 0.9996 at least with a ViT-B of random weights (benchmarks/sam_speed.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.prompts import Prompt
from unseg_bench.blocks.sam.options import SamOptions
from unseg_bench.blocks.slices import Pictures, eight_bit, equalise, to_pictures
from unseg_bench.blocks.weights import resolve
from unseg_bench.data.atomic import reserve, whole_file
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Context, Work, stage

if TYPE_CHECKING:
    from unseg_bench.blocks.sam.segmenter import Choice, SamEmbedding, SamSegmenter

Features = NDArray[np.float16]
"""What the encoder makes of slices, (N, C, h, w): (N, 256, 64, 64) at full size, 2 MiB a slice."""


class LazySam:
    """SAM by its options: its weights are found at once, the model is loaded when it is first used.

    Made once and handed to stages as an extra (`extras={"segmenter": sam}`); it does not belong to their keys,
    `digest`, that of its weights, does.
    """

    def __init__(self, options: SamOptions, context: Context) -> None:
        """Find (or download) the weights and write their digest into the run; raises WeightsError."""
        file = resolve(options.weights, offline=context.offline)
        context.record_weights(file.name, file.sha256)
        self.digest = file.sha256
        self._options, self._context = options, context

    def get(self) -> "SamSegmenter":
        """The segmenter; raises what `SamSegmenter` raises."""
        return self._segmenter

    @cached_property
    def _segmenter(self) -> "SamSegmenter":
        from unseg_bench.blocks.sam.segmenter import SamSegmenter

        o, context = self._options, self._context
        return SamSegmenter(o.model, o.weights, device=context.device, offline=context.offline, precision=o.precision)


class SliceEmbeddings:
    """The slices of one case whose features the stage 'sam-embeddings' kept, in one or several of its results.

    Features are read from a memory map when they are asked for. A case that no result has, has no slices.
    """

    def __init__(self, artifacts: Sequence[Artifact], case_id: str) -> None:
        self._found: dict[int, tuple[Features, int]] = {}
        for artifact in artifacts:
            if artifact.path(f"{case_id}.slices.npy").is_file():
                features = artifact.array(case_id)
                slices = artifact.array(f"{case_id}.slices").tolist()
                self._found |= {index: (features, row) for row, index in enumerate(slices)}

    def __contains__(self, index: int) -> bool:
        return index in self._found

    def __getitem__(self, index: int) -> Features:
        """Features of one slice, (1, C, h, w); raises KeyError for a slice that was not kept."""
        features, row = self._found[index]
        return features[row : row + 1]


def slice_pictures(volume: Volume, slices: NDArray[np.intp], options: SamOptions) -> Pictures:
    """The given axial slices as SAM is shown them, (N, Y, X) uint8."""
    pictures = eight_bit(volume, slices, options.scaling)
    return np.stack([equalise(picture) for picture in pictures]) if options.equalise and len(pictures) else pictures


def segment_volume(
    segmenter: "SamSegmenter",
    volume: Volume,
    prompts: Mapping[int, Sequence[Prompt]],
    options: SamOptions,
    embeddings: SliceEmbeddings | None = None,
    *,
    choose: "Choice" = "single",
) -> Mask:
    """The union of the masks of each axial slice's prompts, inside the brain, (X, Y, Z).

    `prompts`: index of the slice -> its prompts; slices without any are empty. Features that `embeddings` has are
    taken from there, others are computed, `options.batch` slices at once.
    """
    mask = volume.empty_mask()
    asked = [index for index, some in sorted(prompts.items()) if some and volume.brain[:, :, index].any()]
    for index, embedding in _embedded(segmenter, volume, asked, options, embeddings):
        found, _ = segmenter.segment_many(embedding, prompts[index], choose=choose)
        mask[:, :, index] = found.any(axis=0).T & volume.brain[:, :, index]
    return mask


def keep_embeddings(
    run: Callable[..., Artifact],
    options: SamOptions,
    *,
    cohort: Cohort,
    regions: Artifact,
    segmenter: LazySam,
    known: Sequence[Artifact] = (),
) -> tuple[Artifact, ...]:
    """Encode the slices in which `regions` has something and that `known` lacks; return `known` and the new result.

    `run`: a context's (`context.run`). Nothing is encoded where `options.keep_embeddings` is off: returns `known`.
    """
    if not options.keep_embeddings:
        return tuple(known)
    earlier = {f"known_{number}": artifact for number, artifact in enumerate(known)}
    new = run(
        encode_slices, options,
        cohort=cohort, regions=regions, weights=segmenter.digest, **earlier, extras={"segmenter": segmenter},
    )  # fmt: skip
    return (*known, new)


@stage("sam-embeddings", seeded=False)
def encode_slices(
    work: Work,
    options: SamOptions,
    *,
    cohort: Cohort,
    regions: Artifact,
    weights: str,
    segmenter: LazySam,
    **known: Artifact,
) -> None:
    """Write `<case>.npy`, features (N, C, h, w) in half precision, and `<case>.slices.npy`, the N slices' indices.

    Encoded are the slices in which `regions` (X, Y, Z) has something inside the brain, but not those that an earlier
    result of this stage among `known` has. Memory holds one batch. A case that is done survives a crash. For the
    reader see `SliceEmbeddings`.
    """
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        finished = work.scratch / f"{volume.case_id}.slices.npy"
        if finished.exists():
            continue
        found = SliceEmbeddings(tuple(known.values()), volume.case_id)
        region = regions.array(volume.case_id) & volume.brain
        slices = np.array(
            [z for z in np.flatnonzero(region.any(axis=(0, 1))).tolist() if z not in found], dtype=np.intp
        )
        _write_features(work.scratch / f"{volume.case_id}.npy", segmenter.get(), volume, slices, options)
        with whole_file(finished) as temporary, temporary.open("wb") as file:
            np.save(file, slices, allow_pickle=False)
    for case_id in cohort.case_ids:
        for name in (f"{case_id}.npy", f"{case_id}.slices.npy"):
            (work.scratch / name).replace(work.folder / name)


def _write_features(
    path: Path, segmenter: "SamSegmenter", volume: Volume, slices: NDArray[np.intp], options: SamOptions
) -> None:
    """Encode slices batch by batch, straight into the file."""
    if not len(slices):
        np.save(path, np.zeros((0, 1, 1, 1), dtype=np.float16), allow_pickle=False)
        return
    features: Features | None = None
    for start in range(0, len(slices), options.batch):
        batch = _encoded(segmenter, volume, slices[start : start + options.batch], options)
        if features is None:
            shape = (len(slices), *batch.shape[1:])
            features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
            reserve(path)
        features[start : start + len(batch)] = batch


def _encoded(segmenter: "SamSegmenter", volume: Volume, slices: NDArray[np.intp], options: SamOptions) -> Features:
    pictures = slice_pictures(volume, slices, options)
    found = segmenter.encode_many(pictures, batch_size=len(pictures))
    features = np.concatenate([one.features.half().cpu().numpy() for one in found])
    if not np.isfinite(features).all():
        raise RunError(f"{volume.case_id}: SAM's features are not finite in half precision; check sam.weights")
    return features


def _embedded(
    segmenter: "SamSegmenter", volume: Volume, asked: Sequence[int], options: SamOptions, kept: SliceEmbeddings | None
) -> Iterator[tuple[int, "SamEmbedding"]]:
    """Slices in no particular order, each with its embedding; one batch is in memory."""
    here = [index for index in asked if kept is not None and index in kept]
    for index in here:
        assert kept is not None  # noqa: S101 - `here` is empty without it
        yield index, _restored(segmenter, volume, kept[index])
    missing = np.array([index for index in asked if index not in set(here)], dtype=np.intp)
    for start in range(0, len(missing), options.batch):
        batch = missing[start : start + options.batch]
        features = _encoded(segmenter, volume, batch, options)
        for row, index in enumerate(batch.tolist()):
            yield index, _restored(segmenter, volume, features[row : row + 1])


def _restored(segmenter: "SamSegmenter", volume: Volume, features: Features) -> "SamEmbedding":
    import torch

    rows, columns = to_pictures(volume.brain).shape[1:]
    tensor = torch.from_numpy(np.array(features, dtype=np.float32)).to(segmenter.sam.device)
    return segmenter.embedding(tensor, (rows, columns))
