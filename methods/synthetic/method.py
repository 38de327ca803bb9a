"""`synthetic`: a pair of small 3D U-Nets that learned from phantoms alone, in the manner of SynthSeg (Billot et al.,
Medical Image Analysis 2023); nothing is downloaded, and by default nothing is trained.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unseg_bench import Artifact, CaseCounts, Cohort, Context, Cost, Explanation, Mask, Method, RunError, Study, Volume

from .options import SPACING_MM, SyntheticOptions

if TYPE_CHECKING:
    from unseg_bench.blocks.weights import WeightsFile

    from .look import Look
    from .pair import Pair

_ONE_PASS: dict[str, Any] = {
    "standardise": "brain", "place": "surest", "outline": "probability", "fill_slices": False, "cavities": False,
}  # fmt: skip
_TWO_PASSES: dict[str, Any] = {**_ONE_PASS, "standardise": "outside-tumour"}

STEPS = Study(
    "What each step brings",
    {
        "both halves, one pass": {**_ONE_PASS, "networks": "both"},
        "first half, one pass": _ONE_PASS,
        "two passes": {**_TWO_PASSES, "gain": 1.0},
        "brighter by a gain": _TWO_PASSES,
        "asymmetric place": {**_TWO_PASSES, "place": "asymmetric"},
        "steepest outline": {"outline_sigmas_mm": (1.6,), "fill_slices": False, "cavities": False},
        "majority of three": {"fill_slices": False, "cavities": False},
        "slices filled": {"cavities": False},
        "Ours": {},
    },
)

ADAPTED: dict[str, Any] = {"adaptation": {"steps": 120}}
"""Adapted to the training part's images, without labels."""


class Synthetic(Method[SyntheticOptions]):
    """Segments with shipped weights in seconds a case; on phantoms it is judged on what it learned from."""

    name = "synthetic"
    presets = {"paper": {}, "adapted": ADAPTED, "demo": {}, "check": {"mirror": "none"}}
    preset_sources = {
        "paper": "No paper: the name is the default's on real data. The weights as they are shipped.",
        "adapted": "Ours: both networks trained on with their own answers on the training images, where they agree.",
        "demo": "Ours: the weights as they are shipped, since on the phantom there is nothing to adapt to.",
        "check": "Ours: the preset 'demo' without mirroring.",
    }
    studies = {"steps": STEPS}
    look_below = 0.85
    """Of the 24 patients it was chosen with, four lie below: the three of lowest DSC (.64 to .80), and one of .87."""

    def __init__(self, options: SyntheticOptions) -> None:
        """Nothing is loaded before the first case."""
        super().__init__(options)
        self._pair: Pair | None = None
        self._adapted_file: WeightsFile | None = None

    @property
    def learns(self) -> bool:
        """Only with adaptation: the weights as they are need no training part."""
        return self.options.adaptation.steps > 0

    @property
    def weights(self) -> Sequence[str]:
        """The pair that is shipped."""
        return (self.options.weights,)

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what the training on and the passes cost; the outlines are a second of a core per case."""
        adapted = self.options.adaptation.steps
        a_case = 4 * 5.283e9
        learning = [
            Cost("synthetic-answers", counts.training * a_case, depends=str(self.options)),
            Cost("synthetic-adapted", 2 * adapted * 1.401e10, depends=str(self.options)),
        ]
        segment = Cost("segment", counts.segmented * a_case, core_s=1.0 * counts.segmented)
        return [*(learning if adapted else ()), segment]

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """With adaptation, train the weights on on the training part's images. No label is read."""
        self._pair = None
        self._adapted_file = self._adapted(self._shipped(context), training, context) if self.learns else None

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the tumour: where the networks see it, as far as the image's edge goes."""
        from unseg_bench.blocks.region import find_region
        from unseg_bench.blocks.resample import resample_to_shape

        from .look import confidence

        if not volume.brain.any():
            context.confidence(volume, 0.0)
            return volume.empty_mask()
        working, seen = self._look(volume, context)
        found = find_region(volume.brain, working, seen.image, seen.probability, seen.sides, self.options)
        context.keep_map(volume, resample_to_shape(seen.probability, volume.shape) * volume.brain)
        context.confidence(volume, *confidence(working, seen, found, self.options))
        return found.mask

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Show both passes, the two sides, the place, the outlines, and what cavities add."""
        from unseg_bench.blocks.region import find_region

        from .pictures import steps

        working, seen = self._look(volume, context)
        found = find_region(volume.brain, working, seen.image, seen.probability, seen.sides, self.options)
        return Explanation(working, steps(working, seen, found))

    def _shipped(self, context: Context) -> "WeightsFile":
        """Find the weights that were trained on phantoms, and write down that they are used."""
        from unseg_bench.blocks.weights import resolve

        file = resolve(self.options.weights, offline=context.offline)
        context.record_weights(file.name, file.sha256)
        context.note("synthetic weights", {"name": file.name, "learned_from": "phantoms of unseg_bench.blocks.phantom"})
        return file

    def _look(self, volume: Volume, context: Context) -> "tuple[Volume, Look]":
        """The volume at the working spacing, and what the networks make of it."""
        from unseg_bench.blocks.working_volumes import volume_at_spacing

        from .look import look
        from .pair import load_pair

        if self._pair is None:
            self._pair = load_pair(self._adapted_file or self._shipped(context), context.device)
        working = volume_at_spacing(volume, SPACING_MM)
        return working, look(working, self._pair.asked(self.options, working.brain), self.options)

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
