"""CLISC in one page: Ma, Fu, Liao, Zhang, Wang, "CLISC: Bridging CLIP and SAM by Enhanced CAM", ISBI 2025."""

from collections.abc import Sequence

from unseg_bench import CaseCounts, Cohort, Context, Cost, Explanation, Mask, Method, Supervision, Volume

from .options import CliscOptions
from .presets import CHECK, DEMO, PAPER, REFERENCE_CODE, SOURCES
from .studies import LABEL_USE, STAGE_ORACLES, TABLE_2


class Clisc(Method[CliscOptions]):
    """No label anywhere: CLIP finds the slices, CAMs the place, SAM the outline; a 3D U-Net learns from them all.

    The authors' code reads labels in four places; each is an option (see `truth`), and what it needs is declared then,
    as for the oracles of the study 'stage-oracles'.
    """

    name = "clisc"
    presets = {"paper": PAPER, "reference-code": REFERENCE_CODE, "demo": DEMO, "check": CHECK}
    preset_sources = SOURCES
    studies = {"table2": TABLE_2, "label-use": LABEL_USE, "stage-oracles": STAGE_ORACLES}

    @property
    def supervision(self) -> Supervision:
        """None, unless an option asks for more."""
        from .truth import supervision_of

        return supervision_of(self.options)

    @property
    def weights(self) -> Sequence[str]:
        """CLIP's, SAM's and those that the classifiers start from."""
        from unseg_bench.blocks.clip.tags import clip_weights_name

        o = self.options
        own = () if o.classifier.weights is None else (o.classifier.weights,)
        return (clip_weights_name(o.clip.model, o.clip.pretrained), o.sam.weights, *own)

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what each stage costs."""
        from .costs import costs_of

        return costs_of(self.options, counts)

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Run the stages that the answer needs on the training part.

        The validation part is looked at only where an option chooses by its references; else last epochs are kept.
        """
        from .self_training import read_filter
        from .training import train

        self._trained = train(self.options, training, validation, context)
        rows = [read_filter(chosen).table(place + 2) for place, chosen in enumerate(self._trained.filters)]
        context.table("s3f", [row for table in rows for row in table])

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the last U-Net's tumour (neither CLIP nor SAM sees the case), or what `answer` asks for."""
        from unseg_bench.blocks.resample import mask_to_shape

        from .answers import answer
        from .chain import working_volume

        mask = answer(self.options, self._trained, working_volume(volume, self.options), context)
        return mask if mask.shape == volume.shape else mask_to_shape(mask, volume.shape) & volume.brain

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Return each stage's view of one case."""
        from .answers import explain
        from .chain import working_volume

        return explain(self.options, self._trained, working_volume(volume, self.options), context)
