"""CLISC's `fit`: from images to the networks that answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from unseg_bench import Artifact, Cohort, Context
from unseg_bench.blocks.references import reference_masks

from . import truth
from .chain import Chain, Learned, Localised, Models, working_cohort
from .options import CliscOptions


@dataclass(frozen=True, slots=True)
class Locator:
    """A trained classifier and, where masks chose it, the level above which its CAMs are a region."""

    classifier: Artifact
    level: Artifact | None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """All that answers need. What comes after the answer that was asked for is empty.

    `unets`: one a round. `filters`: S3F's choice after each round but the last.
    """

    models: Models
    first: Locator
    second: Locator | None = None
    unets: Sequence[Artifact] = ()
    filters: Sequence[Artifact] = ()


def train(options: CliscOptions, training: Cohort, validation: Cohort, context: Context) -> Trained:
    """Run the chain as far as the answer needs it."""
    models = Models(options, context)
    chain = Chain(options, context, models)
    cohort = working_cohort(training, options, context)
    references = _References(options, training, cohort, validation, context)

    # 1. CLIP says of each slice whether it shows a tumour.
    if options.oracle.labels:
        labels = chain.true_labels(cohort, references.to_label)
    else:
        labels = chain.label(cohort, required=True)
    learned = Learned(cohort, labels, *references.to_choose_epoch)

    # 2. A classifier learns these labels; its CAM is Q0.
    first = _locator(chain, references, chain.train_classifier(learned))
    if options.answer == "raw-cam":
        return Trained(models, first)
    q0 = _localise(chain, references, labels, first)

    # 3. AMDA: what Q0 found is hidden, so a new classifier must find the rest; its CAM is Q1.
    second = _locator(chain, references, chain.retrain_classifier(learned, q0))
    if options.answer != "unet":
        return Trained(models, first, second)
    regions = _localise(chain, references, labels, second).regions
    if options.oracle.regions:
        regions = references.masks(truth.ORACLE_REGIONS)

    # 4. SAM, prompted by Q1's regions, draws the pseudo-labels P.
    if options.oracle.pseudo_labels:
        targets = references.masks(truth.ORACLE_PSEUDO_LABELS)
    else:
        targets = chain.prompt_sam(cohort, regions, required=True)

    # 5. A U-Net learns P and predicts S; S3F keeps the S that SAM agrees with; a new U-Net learns those.
    held_out, masks = references.to_choose_checkpoint
    unets = [chain.train_unet(cohort, targets, None, held_out, masks)]
    filters: list[Artifact] = []
    while len(unets) < options.rounds:
        targets = chain.predict(cohort, unets[-1], required=True)
        if options.oracle.filter:
            judge = references.masks(truth.ORACLE_FILTER)
        else:
            judge = chain.prompt_sam(cohort, targets, predictions=True, required=True)
        filters.append(chain.filter(cohort, targets, judge))
        unets.append(chain.train_unet(cohort, targets, filters[-1], held_out, masks))
    return Trained(models, first, second, unets, filters)


class _References:
    """What the options let the chain see of references: nothing, unless one says so."""

    def __init__(
        self, options: CliscOptions, training: Cohort, working: Cohort, validation: Cohort, context: Context
    ) -> None:
        self._options, self._context = options, context
        self._training, self._validation = training, validation
        self.working = working

    @cached_property
    def held_out(self) -> Cohort:
        """The validation part on the working grid."""
        return working_cohort(self._validation, self._options, self._context)

    @property
    def to_label(self) -> truth.TrueSlices:
        """True slices of the training part, an oracle."""
        return truth.true_slices(self._training, self.working, self._context.labels, truth.ORACLE_LABELS)

    def masks(self, purpose: str) -> Artifact:
        """True masks of the training part on the working grid, an oracle."""
        return reference_masks(self._training, self._context, purpose, working=self.working)

    @property
    def to_choose_epoch(self) -> tuple[Cohort | str, truth.TrueSlices]:
        """The validation part with its true slices, label use 3; '' where the last epochs are kept."""
        if self._options.classifier.keep == "last":
            return "", truth.TrueSlices()
        labels = self._context.labels
        return self.held_out, truth.true_slices(self._validation, self.held_out, labels, truth.CHOOSE_EPOCH)

    @cached_property
    def to_gate_training(self) -> truth.TrueSlices:
        """True slices of the training part, label use 1."""
        return self._gate(self._training, self.working)

    @cached_property
    def to_gate_validation(self) -> truth.TrueSlices:
        """True slices of the validation part, label use 1."""
        return self._gate(self._validation, self.held_out)

    @cached_property
    def to_choose_level(self) -> truth.TrueMasks | None:
        """Masks of the validation part, label use 2."""
        if self._options.region.rule != "validation-dice":
            return None
        return truth.true_masks(self._validation, self.held_out, self._context.labels, truth.CHOOSE_LEVEL)

    @property
    def to_choose_checkpoint(self) -> tuple[Cohort | str, truth.TrueMasks | None]:
        """The validation part with its masks, label use 4."""
        if self._options.unet.keep == "last":
            return "", None
        labels = self._context.labels
        return self.held_out, truth.true_masks(self._validation, self.held_out, labels, truth.CHOOSE_CHECKPOINT)

    def _gate(self, cohort: Cohort, working: Cohort) -> truth.TrueSlices:
        if not self._options.cam.true_slices:
            return truth.TrueSlices()
        return truth.true_slices(cohort, working, self._context.labels, truth.GATE_CAMS)


def _locator(chain: Chain, references: _References, classifier: Artifact) -> Locator:
    """Choose the CAM's level where masks may choose it."""
    masks = references.to_choose_level
    if masks is None:
        return Locator(classifier, None)
    cohort = references.held_out
    maps = chain.map(cohort, chain.label(cohort), classifier, references.to_gate_validation)
    return Locator(classifier, chain.choose_level(cohort, maps, masks))


def _localise(chain: Chain, references: _References, labels: Artifact, locator: Locator) -> Localised:
    """Map the training part."""
    cohort = references.working
    maps = chain.map(cohort, labels, locator.classifier, references.to_gate_training)
    return Localised(maps, chain.binarise(cohort, maps, locator.level, required=True))
