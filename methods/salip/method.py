"""SaLIP: Aleem et al., "Test-Time Adaptation with SaLIP: A Cascade of SAM and CLIP for Zero-shot Medical Image
Segmentation", CVPR Workshops 2024; rebuilt from its code, which has no tumour task.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unseg_bench import CaseCounts, Cohort, Context, Cost, Explanation, Mask, Method, Supervision, Volume
from unseg_bench.blocks.references import digest_of_masks

from .options import SalipOptions
from .presets import CHECK, DEMO, FLAIR, PAPER, REFERENCE_CODE, SOURCES, STUDIES

if TYPE_CHECKING:
    from unseg_bench.blocks.sam.options import EverythingOptions

    from .pipeline import Pipeline, SliceResult


class Salip(Method[SalipOptions]):
    """SAM proposes masks of each axial slice, CLIP picks those that look like a tumour, their boxes go back to SAM."""

    name = "salip"
    presets = {"paper": PAPER, "reference-code": REFERENCE_CODE, "flair": FLAIR, "demo": DEMO, "check": CHECK}
    preset_sources = SOURCES
    studies = STUDIES
    _found: "EverythingOptions | None" = None
    _pipeline: "Pipeline | None" = None

    @property
    def learns(self) -> bool:
        """Only with the authors' search, which looks at the validation part: else no image is needed before a case."""
        return self.options.search.by == "labels"

    @property
    def supervision(self) -> Supervision:
        """None; with the authors' search, masks of the validation part."""
        return Supervision.NONE if self.options.search.by == "none" else Supervision.VALIDATION_MASKS

    @property
    def weights(self) -> Sequence[str]:
        """CLIP's and SAM's."""
        from unseg_bench.blocks.clip.tags import clip_weights_name

        return (clip_weights_name(self.options.clip.model, self.options.clip.pretrained), self.options.sam.weights)

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what cases cost, and the search."""
        from .costs import costs_of

        return costs_of(self.options, counts)

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Search for settings of everything mode by labels; the training part is not looked at."""
        from .search import PURPOSE, RESULT, search_settings, tuning_cases

        cohort = tuning_cases(validation, self.options.search, context.seed)
        found = context.run(
            search_settings,
            self.options,
            cohort=cohort,
            masks=digest_of_masks(cohort, context.labels, PURPOSE),
            extras={"labels": context.labels, "offline": context.offline},
            **_find_weights(self.options, context),
        )
        result: dict[str, Any] = json.loads(found.path(RESULT).read_text(encoding="utf-8"))
        context.table("search", result["tried"])
        self._found = self.options.everything.model_copy(update=result["best"])

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Stack the slices' answers; slices with little brain, and those where no crop is chosen, stay empty."""
        from unseg_bench.blocks.resample import mask_to_shape
        from unseg_bench.blocks.working_volumes import volume_at_spacing

        working = volume_at_spacing(volume, self.options.spacing_mm)
        mask, results = self.run_slices(working, context)
        context.note("salip", {"case": volume.case_id, **_counts(results)})
        return mask if mask.shape == volume.shape else mask_to_shape(mask, volume.shape) & volume.brain

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Show proposals, what CLIP says of them, the boxes that were kept, and the answer."""
        from unseg_bench.blocks.working_volumes import volume_at_spacing

        from .explanation import explain_slices

        working = volume_at_spacing(volume, self.options.spacing_mm)
        mask, results = self.run_slices(working, context)
        return explain_slices(working, results, mask)

    def run_slices(self, working: Volume, context: Context) -> "tuple[Mask, list[SliceResult]]":
        """Run all steps on every slice with enough brain: the answer on the working grid, and the steps."""
        from unseg_bench.blocks.components import largest_component
        from unseg_bench.blocks.slices import to_pictures

        from .pictures import chosen_slices, draw_slices, spread_out

        numbers = chosen_slices(working.brain, self.options.pictures)
        looked_at, nearest = spread_out(numbers, self.options.pictures.every)
        mask, results, pipeline = working.empty_mask(), list["SliceResult"](), self._load(context)
        settings = self._found or self.options.everything
        found = np.zeros((len(looked_at), *to_pictures(mask).shape[1:]), dtype=np.bool_)
        for done, one in enumerate(draw_slices(working, looked_at, self.options)):
            context.progress(done, len(looked_at), f"{working.case_id}, slice {one.number}")
            results.append(pipeline.run(one, settings))
            found[done] = one.to_slice(results[-1].mask)
        to_pictures(mask)[numbers] = found[nearest]
        mask &= working.brain
        return largest_component(mask) if self.options.component == "largest" else mask, results

    def _load(self, context: Context) -> "Pipeline":
        """Return the models, loaded once, when the first case is segmented: what only plans a run needs none."""
        if self._pipeline is None:
            from .pipeline import Pipeline

            _find_weights(self.options, context)
            self._pipeline = Pipeline(self.options, device=context.device, offline=context.offline)
        return self._pipeline


def _find_weights(options: SalipOptions, context: Context) -> dict[str, str]:
    """Find (or download) the weights of both models, write them into the run, and return their digests by model."""
    from unseg_bench.blocks.clip.scorer import clip_weights
    from unseg_bench.blocks.weights import resolve

    clip = clip_weights(options.clip.model, options.clip.pretrained, offline=context.offline)
    sam = resolve(options.sam.weights, offline=context.offline)
    for file in (clip, sam):
        context.record_weights(file.name, file.sha256)
    return {"clip": clip.sha256, "sam": sam.sha256}


def _counts(results: "list[SliceResult]") -> dict[str, int]:
    """What one case's log line says: where a case ends empty, it shows at which step."""
    return {
        "slices": len(results),
        "proposals": sum(len(one.proposals) for one in results),
        "candidates": sum(len(one.candidates) for one in results),
        "prompted_slices": sum(len(one.kept) > 0 for one in results),
        "voxels": int(sum(np.count_nonzero(one.mask) for one in results)),
    }
