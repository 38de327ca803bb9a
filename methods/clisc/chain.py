"""CLISC's stages, each called in one place: for the training part, for the validation part, and for a single case."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unseg_bench import Artifact, Cohort, Context, Volume
from unseg_bench.blocks.clip.labels import ClipModel, ShownOptions, write_true_labels
from unseg_bench.blocks.sam.slices import LazySam
from unseg_bench.blocks.standardise import outside_tumour_cohort, whole_crop_cohort, whole_crop_volume
from unseg_bench.blocks.weights import resolve
from unseg_bench.blocks.working_volumes import at_spacing, volume_at_spacing

from . import cams, classifier, pseudo_labels, self_training
from .options import CliscOptions, FilterOptions, PredictOptions, PromptOptions, RetrainOptions, SamStageOptions
from .truth import TrueMasks, TrueSlices


class Models:
    """The pretrained models that CLISC starts from: CLIP and SAM, built when a stage that is not cached needs one.

    Made once a run, before any stage, since cache keys have their digests. Finds (or downloads) all weights and writes
    their digests into the run; raises WeightsError. `classifier_digest` is the SHA-256 of the classifier's initial
    weights, 'random' where it starts from none.
    """

    def __init__(self, options: CliscOptions, context: Context) -> None:
        self.clip = ClipModel(options.clip, context)
        self.sam = LazySam(options.sam, context)
        self.classifier_digest = "random"
        if options.classifier.weights is not None:
            start = resolve(options.classifier.weights, offline=context.offline)
            context.record_weights(start.name, start.sha256)
            self.classifier_digest = start.sha256


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a cohort is learned from: its labels, and what of the references the options let a classifier see."""

    cohort: Cohort
    labels: Artifact
    held_out: Cohort | str
    truth: TrueSlices
    """Of `held_out`, to choose an epoch by."""


@dataclass(frozen=True, slots=True)
class Localised:
    """A classifier's maps of a cohort and their regions."""

    cams: Artifact
    regions: Artifact


def working_volume(volume: Volume, options: CliscOptions) -> Volume:
    """One case as the chain sees it: on the working grid, with `normalise` 'crop' also with that code's intensities."""
    working = volume_at_spacing(volume, options.spacing_mm)
    return whole_crop_volume(working) if options.normalise == "crop" else working


def working_cohort(cohort: Cohort, options: CliscOptions, context: Context) -> Cohort:
    """All cases of a cohort by `working_volume`."""
    working = at_spacing(cohort, options.spacing_mm, context.run)
    return whole_crop_cohort(working, context.run) if options.normalise == "crop" else working


class Chain:
    """The stages under one set of options; `context` runs them or takes them from the cache."""

    def __init__(self, options: CliscOptions, context: Context, models: Models) -> None:
        self._options, self._context, self._models = options, context, models

    def label(self, cohort: Cohort, *, required: bool = False) -> Artifact:
        """CLIP's labels of all slices; `required`: both kinds must occur."""
        return self._models.clip.label(cohort, self._options.labels, self._run, required=required)

    def true_labels(self, cohort: Cohort, slices: TrueSlices) -> Artifact:
        """True labels of all slices in the form of CLIP's."""
        return self._run(
            write_true_labels, ShownOptions(min_brain_share=self._options.clip.min_brain_share),
            extras={"by_case": slices.by_case}, cohort=cohort, true_slices=slices.digest,
        )  # fmt: skip

    def train_classifier(self, learned: Learned) -> Artifact:
        """The first classifier, on slices as they are."""
        return self._run(
            classifier.train_classifier, self._options.classifier, extras=self._seen(learned), **self._shown(learned)
        )

    def retrain_classifier(self, learned: Learned, q0: Localised) -> Artifact:
        """The second classifier, on slices masked by what the first one found."""
        o = RetrainOptions(classifier=self._options.classifier, amda=self._options.amda)
        return self._run(
            classifier.retrain_classifier, o, extras=self._seen(learned),
            cams=q0.cams, regions=q0.regions, **self._shown(learned),
        )  # fmt: skip

    def map(self, cohort: Cohort, labels: Artifact, trained: Artifact, truth: TrueSlices | None = None) -> Artifact:
        """A classifier's CAMs; with `truth`, only of slices that have tumour."""
        seen = truth or TrueSlices()
        return self._run(
            cams.compute_cams, self._options.cam, extras={"truth": seen},
            cohort=cohort, labels=labels, classifier=trained, true_slices=seen.digest,
        )  # fmt: skip

    def choose_level(self, cohort: Cohort, maps: Artifact, masks: TrueMasks) -> Artifact:
        """The level that suits the reference masks best."""
        return self._run(cams.scan_levels, extras={"mask_of": masks.of}, cohort=cohort, cams=maps, masks=masks.digest)

    def binarise(
        self, cohort: Cohort, maps: Artifact, level: Artifact | None = None, *, required: bool = False
    ) -> Artifact:
        """The regions of CAMs."""
        return self._run(
            cams.binarise_cams, self._options.region, extras={"required": required},
            cohort=cohort, cams=maps, **({} if level is None else {"level": level}),
        )  # fmt: skip

    def prompt_sam(
        self, cohort: Cohort, regions: Artifact, *, predictions: bool = False, required: bool = False
    ) -> Artifact:
        """SAM's masks of regions, which are CAMs' or a U-Net's `predictions`."""
        return self._run(
            pseudo_labels.segment_regions, self.sam_options(predictions=predictions),
            extras={"sam": self._models.sam, "required": required},
            cohort=cohort, regions=regions, weights=self._models.sam.digest,
        )  # fmt: skip

    def sam_options(self, *, predictions: bool) -> SamStageOptions:
        """How SAM is prompted with CAMs' regions, or with a U-Net's predictions."""
        o = self._options
        dilation = o.s3f.dilation_px if predictions and o.s3f.dilation_px is not None else o.prompts.dilation_px
        prompts = PromptOptions(kind=o.prompts.kind, points=o.prompts.points, dilation_px=dilation)
        return SamStageOptions(prompts=prompts, sam=o.sam.shown)

    def train_unet(
        self, cohort: Cohort, targets: Artifact, kept: Artifact | None, held_out: Cohort | str, masks: TrueMasks | None
    ) -> Artifact:
        """A U-Net trained on the targets of all cases, or of those that were kept."""
        train = self_training.train_first if kept is None else self_training.train_next
        validation = held_out if isinstance(held_out, str) else self._shown_to_unet(held_out)
        return self._run(
            train, self._options.unet, extras={"mask_of": None if masks is None else masks.of},
            cohort=self._shown_to_unet(cohort), targets=targets, kept=kept or "", held_out=validation,
            masks="" if masks is None else masks.digest, empty_cases=self._options.empty_cases,
        )  # fmt: skip

    def predict(self, cohort: Cohort, unet: Artifact, *, required: bool = False) -> Artifact:
        """The U-Net's predictions as S3F takes them."""
        return self._run(
            self_training.predict_all, self._predict_options, extras={"required": required},
            cohort=self._shown_to_unet(cohort), unet=unet,
        )  # fmt: skip

    def filter(self, cohort: Cohort, predictions: Artifact, prompted: Artifact) -> Artifact:
        """S3F: which cases the next round learns from; `prompted` is what their predictions are compared with."""
        return self._run(
            self_training.filter_by_similarity,
            FilterOptions(beta=self._options.s3f.beta, empty_cases=self._options.empty_cases),
            cohort=cohort,
            predictions=predictions,
            prompted=prompted,
        )

    def _shown_to_unet(self, cohort: Cohort) -> Cohort:
        return outside_tumour_cohort(cohort, self._run) if self._options.normalise == "outside-tumour" else cohort

    @cached_property
    def _predict_options(self) -> PredictOptions:
        o = self._options
        kept = {} if o.s3f.component is None else {"component": o.s3f.component}
        return PredictOptions(unet=o.unet, inference=o.inference.model_copy(update=kept))

    def _shown(self, learned: Learned) -> dict[str, Any]:
        return {
            "cohort": learned.cohort,
            "labels": learned.labels,
            "held_out": learned.held_out,
            "true_slices": learned.truth.digest,
            "weights": self._models.classifier_digest,
        }

    def _seen(self, learned: Learned) -> Mapping[str, Any]:
        return {"truth": learned.truth, "offline": self._context.offline}

    @property
    def _run(self) -> Any:  # noqa: ANN401 - the context's own signature
        return self._context.run
