"""SAM on a volume, slice by slice: each axial slice is encoded once, whatever is asked of it and how often.

What the encoder makes of a slice is rounded to half precision, kept or not, so that keeping it changes no result.
Measured against the package's masks of unrounded features, a box and five points a slice: mask IoU 1.0000 in all of 20
slices with the miniature, 0.9996 at least with a ViT-B of random weights (benchmarks/sam_speed.py).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.prompts import Prompt
from unseg_bench.blocks.sam.options import SamEncoderOptions, SamModelOptions, SamOptions
from unseg_bench.blocks.slices import Pictures, eight_bit, equalise, to_pictures
from unseg_bench.blocks.weights import resolve
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import DiskFullError, RunError
from unseg_bench.plugins.context import Context, Work, stage

if TYPE_CHECKING:
    from unseg_bench.blocks.sam.segmenter import Choice, SamEmbedding, SamSegmenter

Features = NDArray[np.float16]
"""What the encoder makes of slices, (N, C, h, w): (N, 256, 64, 64) at full size, 2 MiB a slice."""

BLOCK = 8
"""Slices that are encoded and kept together: those whose indices share a multiple of it. Whoever asks about one of them
later finds them, whatever regions he asks with; a tumour's ends cost seven slices more on average."""

_FEATURES = "features"


class LazySam:
    """SAM by its options: its weights are found at once, the model is loaded when it is first used.

    Made once and handed to stages as an extra (`extras={"sam": sam}`); it does not belong to their keys, `digest`, that
    of its weights, does. `context` keeps what was encoded.
    """

    def __init__(self, options: SamOptions, context: Context) -> None:
        """Find (or download) the weights and write their digest into the run; raises WeightsError."""
        file = resolve(options.weights, offline=context.offline)
        context.record_weights(file.name, file.sha256)
        self.digest = file.sha256
        self.options, self._context = options, context

    def get(self) -> "SamSegmenter":
        """The segmenter; raises what `SamSegmenter` raises."""
        return self._segmenter

    def features(self, pictures: Pictures) -> Features:
        """What the encoder makes of pictures (N, Y, X): kept under their content, the weights and the precision alone.

        Where `options.keep_embeddings` is off, nothing is kept. Raises RunError for features that are not finite, and
        DiskFullError, which names that option, where there is no room.
        """
        o = self.options
        if not o.keep_embeddings:
            return _encode(self.get(), pictures, o.batch)
        digest = hashlib.sha256(f"{pictures.shape} ".encode() + pictures.tobytes()).hexdigest()
        try:
            kept = self._context.run(
                encode_pictures, SamEncoderOptions(model=o.model, precision=o.precision),
                pictures=digest, weights=self.digest, extras={"shown": pictures, "sam": self},
            )  # fmt: skip
        except DiskFullError as error:
            raise DiskFullError(
                f"{error}. Or keep nothing of SAM's encoder (2 MiB per slice at full size): --set "
                "sam.keep_embeddings=false encodes each slice when it is asked about; masks are the same"
            ) from error
        return kept.array(_FEATURES)

    @cached_property
    def _segmenter(self) -> "SamSegmenter":
        from unseg_bench.blocks.sam.segmenter import SamSegmenter

        o, context = self.options, self._context
        return SamSegmenter(o.model, o.weights, device=context.device, offline=context.offline, precision=o.precision)


def slice_pictures(volume: Volume, slices: NDArray[np.intp], options: SamModelOptions) -> Pictures:
    """The given axial slices as SAM is shown them, (N, Y, X) uint8."""
    pictures = eight_bit(volume, slices, options.scaling)
    return np.stack([equalise(picture) for picture in pictures]) if options.equalise and len(pictures) else pictures


def segment_volume(
    sam: LazySam, volume: Volume, prompts: Mapping[int, Sequence[Prompt]], *, choose: "Choice" = "single"
) -> Mask:
    """The union of the masks of each axial slice's prompts, inside the brain, (X, Y, Z).

    `prompts`: index of the slice -> its prompts; slices without any are empty. Each slice is encoded once, as
    `LazySam.features` says; `sam.options.batch` slices at once. Call it inside a stage or outside of one.
    """
    mask = volume.empty_mask()
    asked = [index for index, some in sorted(prompts.items()) if some and volume.brain[:, :, index].any()]
    for index, embedding in _embedded(sam, volume, asked):
        found, _ = sam.get().segment_many(embedding, prompts[index], choose=choose)
        mask[:, :, index] = found.any(axis=0).T & volume.brain[:, :, index]
    return mask


@stage("sam-embeddings", seeded=False, common=True)
def encode_pictures(
    work: Work, options: SamEncoderOptions, *, pictures: str, weights: str, shown: Pictures, sam: LazySam
) -> None:
    """Write `features.npy`, (N, C, h, w) in half precision, of the pictures `shown` (N, Y, X).

    `pictures` is their digest, `weights` that of the encoder's weights; `options` says the rest that features depend
    on. Scaling and equalisation are in the pictures.
    """
    np.save(work.folder / f"{_FEATURES}.npy", _encode(sam.get(), shown, sam.options.batch), allow_pickle=False)


def _encode(segmenter: "SamSegmenter", pictures: Pictures, batch: int) -> Features:
    found = segmenter.encode_many(pictures, batch_size=batch)
    features = np.concatenate([one.features.half().cpu().numpy() for one in found])
    if not np.isfinite(features).all():
        raise RunError("SAM's features of a slice are not finite in half precision; check sam.weights")
    return features


def _embedded(sam: LazySam, volume: Volume, asked: Sequence[int]) -> Iterator[tuple[int, "SamEmbedding"]]:
    """Slices in order, each with its embedding; one block or batch is in memory."""
    for slices in _together(volume, asked, sam.options):
        features = sam.features(slice_pictures(volume, slices, sam.options))
        for row, index in enumerate(slices.tolist()):
            if index in asked:
                yield index, _restored(sam.get(), volume, features[row : row + 1])


def _together(volume: Volume, asked: Sequence[int], options: SamOptions) -> Iterator[NDArray[np.intp]]:
    """Which slices are encoded together: whole blocks of the brain's where they are kept, else those asked about."""
    if options.keep_embeddings:
        with_brain = np.flatnonzero(volume.brain.any(axis=(0, 1)))
        yield from (with_brain[with_brain // BLOCK == block] for block in sorted({z // BLOCK for z in asked}))
    else:
        every = np.array(asked, dtype=np.intp)
        yield from (every[start : start + options.batch] for start in range(0, len(every), options.batch))


def _restored(segmenter: "SamSegmenter", volume: Volume, features: Features) -> "SamEmbedding":
    import torch

    rows, columns = to_pictures(volume.brain).shape[1:]
    tensor = torch.from_numpy(np.array(features, dtype=np.float32)).to(segmenter.sam.device)
    return segmenter.embedding(tensor, (rows, columns))
