"""SAM asked with prompts from a mask: the reference's, as a ceiling, or another method's, to have them refined."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unseg_bench import CaseCounts, Context, Cost, Explanation, Mask, Method, Step, Supervision, Volume

from .options import REFERENCE, SamPromptsOptions
from .presets import CHECK, DEMO, PAPER, SOURCES, STUDIES

if TYPE_CHECKING:
    from unseg_bench.blocks.prompts import Prompt
    from unseg_bench.blocks.sam.slices import LazySam

    from .case_prompts import Prompts


class SamPrompts(Method[SamPromptsOptions]):
    """SAM, slice by slice, with boxes and points from masks; nothing is learnt."""

    name = "sam-prompts"
    presets = {"paper": PAPER, "demo": DEMO, "check": CHECK}
    preset_sources = SOURCES
    studies = STUDIES
    _sam: "LazySam | None" = None

    @property
    def supervision(self) -> Supervision:
        """Prompts from the reference, or none: then the labels are those that the source of the prompts read."""
        return Supervision.PROMPTS_FROM_MASKS if self.options.prompts_from == REFERENCE else Supervision.NONE

    @property
    def weights(self) -> Sequence[str]:
        """SAM's."""
        return (self.options.sam.weights,)

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what encoding the slices and asking about them costs; nearly all is the encoder."""
        from unseg_bench.blocks.costs import SAM_PROMPT, sam_features_cost, tumour_slices

        cases, spacing_mm = counts.segmented, self.options.spacing_mm
        asked = Cost("segment", cases * tumour_slices(spacing_mm) * SAM_PROMPT)
        return [sam_features_cost("segment", self.options.sam, cases, spacing_mm), asked]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return SAM's masks of the prompted slices, inside the brain; an empty mask where nothing is prompted."""
        from unseg_bench.blocks.resample import mask_to_shape

        working, _, prompts = self._prompts(volume, context)
        mask = self._ask(working, prompts, context)
        return mask if mask.shape == volume.shape else mask_to_shape(mask, volume.shape) & volume.brain

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Show the mask that prompts come from, the prompts, and SAM's answer, on the working grid."""
        working, source, prompts = self._prompts(volume, context)
        boxes = {index: [p.box for p in asked if p.box is not None] for index, asked in prompts.items()}
        points = {index: [point for p in asked for point in _points(p)] for index, asked in prompts.items()}
        o = self.options
        steps = [
            Step("mask that prompts come from", mask=source, note=Path(o.prompts_from).name),
            Step(f"prompts: {o.protocol}", boxes=boxes, points=points, note=f"{len(prompts)} slices are asked about"),
            Step("SAM's mask", mask=self._ask(working, prompts, context)),
        ]
        return Explanation(working, steps)

    def _prompts(self, volume: Volume, context: Context) -> tuple[Volume, Mask, "Prompts"]:
        """Return the working volume and, on its grid, the mask that prompts come from and the prompts by slice."""
        from unseg_bench.blocks.resample import mask_to_shape
        from unseg_bench.blocks.working_volumes import volume_at_spacing

        from .case_prompts import prompt_case

        o = self.options
        working = volume_at_spacing(volume, o.spacing_mm)
        source = mask_to_shape(self._source(volume, context), working.shape)
        return working, source, prompt_case(working, source, o.protocol, o.slices, context.seed)

    def _source(self, volume: Volume, context: Context) -> Mask:
        """Read the mask that prompts come from, on the volume's grid.

        Two kinds of knowledge are told apart in the ledger: which slices are asked about, and with what.
        """
        o, case_id = self.options, volume.case_id
        if not volume.brain.any():
            return volume.empty_mask()
        if o.prompts_from != REFERENCE:
            return context.predicted_mask(o.prompts_from, case_id)
        if o.slices == "tumour" and not context.labels.slice_labels(case_id, "slice choice").any():
            return volume.empty_mask()
        return context.labels.mask(case_id, "prompts")

    def _ask(self, working: Volume, prompts: "Prompts", context: Context) -> Mask:
        """Return SAM's masks on the working grid; of a lone point's three masks, the one that SAM rates highest."""
        from unseg_bench.blocks.sam.slices import segment_volume

        if not prompts:
            return working.empty_mask()
        choose = "best" if self.options.protocol == "G4" else "single"
        return segment_volume(self._model(context), working, prompts, choose=choose)

    def _model(self, context: Context) -> "LazySam":
        """Return SAM; its weights are found at the first case that has prompts."""
        from unseg_bench.blocks.sam.slices import LazySam

        if self._sam is None:
            self._sam = LazySam(self.options.sam, context)
        return self._sam


def _points(prompt: "Prompt") -> list[tuple[float, float, bool]]:
    pairs = zip(prompt.points.tolist(), prompt.labels.tolist(), strict=True)
    return [(x, y, label == 1) for (x, y), label in pairs]
