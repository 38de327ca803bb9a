"""CLISC in one page: Ma, Fu, Liao, Zhang, Wang, "CLISC: Bridging CLIP and SAM by Enhanced CAM", ISBI 2025."""

from collections.abc import Mapping
from typing import Any, ClassVar

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.method import Method

from .options import CliscOptions, PredictOptions, RetrainOptions, SamStageOptions
from .presets import CHECK, DEMO, PAPER


class Clisc(Method):
    """No label anywhere: CLIP finds the slices, CAMs the place, SAM the outline; a 3D U-Net learns from them all."""

    name = "clisc"
    supervision = Supervision.NONE
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": PAPER, "demo": DEMO, "check": CHECK}
    Options = CliscOptions
    options: CliscOptions

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Run the five stages on the training part; the validation part is not looked at (last epochs are kept)."""
        from unseg_bench.blocks.slices import at_spacing
        from unseg_bench.blocks.unet_training import load_unet

        from . import cams, classifier, pseudo_labels, self_training, slice_labels
        from .pretrained import find_weights

        o, run = self.options, context.run
        cohort = at_spacing(training, o.spacing_mm)
        weights = find_weights(o, context)
        offline = {"offline": context.offline}
        amda = RetrainOptions(classifier=o.classifier, amda=o.amda)
        sam = SamStageOptions(prompts=o.prompts, sam=o.sam)
        predict = PredictOptions(unet=o.unet, inference=o.inference)

        # 1. CLIP says of each slice whether it shows a tumour.
        labels = run(slice_labels.label_slices, o.clip, cohort=cohort, weights=weights.clip, extras=offline)

        # 2. A classifier learns these labels; its Layer-CAM is Q0.
        first = run(
            classifier.train_classifier, o.classifier,
            cohort=cohort, labels=labels, weights=weights.classifier, extras=offline,
        )  # fmt: skip
        q0 = run(cams.compute_cams, o.cam, cohort=cohort, labels=labels, classifier=first)
        q0_regions = run(cams.binarise_cams, o.region, cohort=cohort, cams=q0)

        # 3. AMDA: what Q0 found is hidden, so a new classifier must find the rest; its Layer-CAM is Q1.
        second = run(
            classifier.retrain_classifier, amda,
            cohort=cohort, labels=labels, cams=q0, regions=q0_regions, weights=weights.classifier, extras=offline,
        )  # fmt: skip
        q1 = run(cams.compute_cams, o.cam, cohort=cohort, labels=labels, classifier=second)
        q1_regions = run(cams.binarise_cams, o.region, cohort=cohort, cams=q1)

        # 4. SAM, prompted by Q1's regions, draws the pseudo-labels P.
        segment = pseudo_labels.segment_regions
        p = run(segment, sam, cohort=cohort, regions=q1_regions, weights=weights.sam, extras=offline)

        # 5. A U-Net learns P and predicts S; S3F keeps the S that SAM agrees with; a new U-Net learns those.
        unet = run(self_training.train_on_all, o.unet, cohort=cohort, targets=p)
        s = run(self_training.predict_all, predict, cohort=cohort, unet=unet)
        s_hat = run(segment, sam, cohort=cohort, regions=s, weights=weights.sam, extras=offline)
        kept = run(self_training.filter_by_similarity, o.s3f, cohort=cohort, predictions=s, prompted=s_hat)
        last = run(self_training.train_on_kept, o.unet, cohort=cohort, targets=s, kept=kept)
        self._network = load_unet(last.path(self_training.WEIGHTS), o.unet, context.device)

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the last U-Net's tumour; neither CLIP nor SAM sees the case."""
        from unseg_bench.blocks.resample import mask_to_shape
        from unseg_bench.blocks.slices import volume_at_spacing
        from unseg_bench.blocks.unet_training import segment_unet

        working = volume_at_spacing(volume, self.options.spacing_mm)
        mask = segment_unet(self._network, self.options.unet, self.options.inference, working)
        return mask if mask.shape == volume.shape else mask_to_shape(mask, volume.shape) & volume.brain
