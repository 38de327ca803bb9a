"""`synthetic`: a pair of small 3D U-Nets that learned from phantoms alone, in the manner of SynthSeg (Billot et al.,
Medical Image Analysis 2023); nothing is downloaded, and by default nothing is trained.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from unseg_bench import Artifact, Cohort, Context, Explanation, Image, Mask, Method, RunError, Step, Volume

from .options import SPACING_MM, SyntheticOptions

if TYPE_CHECKING:
    from unseg_bench.blocks.weights import WeightsFile

    from .pair import Pair

ADAPTED: dict[str, Any] = {"adaptation": {"steps": 120}}
"""Adapted to the training part's images, without labels."""


class Synthetic(Method[SyntheticOptions]):
    """Segments with shipped weights in seconds a case; on phantoms it is judged on what it learned from."""

    name = "synthetic"
    presets = {"paper": {}, "adapted": ADAPTED, "demo": {}, "check": {"mirror": "none"}}
    """No paper stands behind `paper`: the name is the default's on real data. It and `demo` take the weights as they
    are shipped, since on the phantom there is nothing to adapt to; so does `check`, in one pass."""

    def __init__(self, options: SyntheticOptions) -> None:
        """Nothing is loaded before the first case."""
        super().__init__(options)
        self._pair: Pair | None = None
        self._adapted_file: WeightsFile | None = None

    @property
    def learns(self) -> bool:
        """Only with adaptation: the weights as they are need no training part."""
        return self.options.adaptation.steps > 0

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """With adaptation, train the weights on on the training part's images. No label is read."""
        self._pair = None
        self._adapted_file = self._adapted(self._shipped(context), training, context) if self.learns else None

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return where the mean probability of both halves exceeds the threshold."""
        from unseg_bench.blocks.resample import resample_to_shape

        if not volume.brain.any():
            return volume.empty_mask()
        first, second = self._halves(volume, context)[1:]
        scores = resample_to_shape(_mean(first, second), volume.shape) * volume.brain
        mask = self._mask(scores)
        context.keep_map(volume, scores)
        context.note("synthetic", {"case": volume.case_id, "agreement": self._agreement(first, second),
                                   "voxels": int(np.count_nonzero(mask))})  # fmt: skip
        return mask

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Show each half's probability, where the halves agree, and the answer."""
        working, first, second = self._halves(volume, context)
        ours, theirs = self._mask(first), self._mask(second)
        agreed = f"Dice of the halves' masks {self._agreement(first, second):.2f}"
        steps = [
            Step("first half: probability", heat=first, mask=ours),
            Step("second half: probability", heat=second, mask=theirs),
            Step("agreement", heat=(1 - abs(first - second)) * working.brain, mask=ours & theirs, note=agreed),
            Step("mask", mask=self._mask(_mean(first, second))),
        ]
        return Explanation(working, steps)

    def _shipped(self, context: Context) -> "WeightsFile":
        """Find the weights that were trained on phantoms, and write down that they are used."""
        from unseg_bench.blocks.weights import resolve

        file = resolve(self.options.weights, offline=context.offline)
        context.record_weights(file.name, file.sha256)
        context.note("synthetic weights", {"name": file.name, "learned_from": "phantoms of unseg_bench.blocks.phantom"})
        return file

    def _halves(self, volume: Volume, context: Context) -> tuple[Volume, Image, Image]:
        """The volume at the working spacing, and both halves' probabilities on that grid."""
        from unseg_bench.blocks.working_volumes import volume_at_spacing

        from .pair import load_pair

        if self._pair is None:
            self._pair = load_pair(self._adapted_file or self._shipped(context), context.device)
        working = volume_at_spacing(volume, SPACING_MM)
        return working, *self._pair.probabilities(working, self.options.mirror)

    def _mask(self, probability: Image) -> Mask:
        from unseg_bench.blocks.components import surest_component

        mask = probability > self.options.threshold
        return surest_component(mask, probability, self.options.threshold) if self.options.one_component else mask

    def _agreement(self, first: Image, second: Image) -> float:
        from unseg_bench.blocks.overlap import dice

        return round(dice(self._mask(first), self._mask(second), empty=0.0), 4)

    def _adapted(self, file: "WeightsFile", training: Cohort, context: Context) -> "WeightsFile":
        """Run the adaptation's stages; returns the file of its pair."""
        from unseg_bench.blocks.weights import WeightsFile, sha256_of
        from unseg_bench.blocks.working_volumes import at_spacing

        from .adaptation import FILE, adapt, collect_answers

        working = at_spacing(training, SPACING_MM, context.run)
        inputs: dict[str, Any] = {"cohort": working, "weights": file.sha256, "extras": {"file": file}}
        answers = context.run(collect_answers, self.options, **inputs)
        adapted = context.run(adapt, self.options, answers=answers, **self._new_heads(context), **inputs)
        path = adapted.path(FILE)
        return WeightsFile(path, sha256_of(path), "synthetic, adapted")

    def _new_heads(self, context: Context) -> dict[str, Artifact]:
        """The heads to mix in, if any; raises RunError where their generator may not be read."""
        count = self.options.adaptation.heads
        if count == 0:
            return {}
        try:
            from .heads import HeadOptions, make_heads

            return {"heads": context.run(make_heads, HeadOptions(count=count))}
        except (ImportError, PermissionError) as error:
            raise RunError(
                "the adaptation of `synthetic` mixes in new phantoms, and their generator is closed to a sealed run "
                "on the phantom data set; set adaptation.heads to 0, or use the preset 'demo'"
            ) from error


def _mean(first: Image, second: Image) -> Image:
    return (first + second) * np.float32(0.5)
