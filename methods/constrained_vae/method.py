"""What AMCons and GradCAMCons do alike: learn a VAE from normal slices, cut its map; they differ in their options."""

import json
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from unseg_bench import CaseCounts, Cohort, Context, Cost, Explanation, Mask, Method, Step, Supervision, Volume
from unseg_bench.blocks.constrained_vae.options import FitOptions, MapOptions
from unseg_bench.blocks.normals import find_normals, normals_supervision
from unseg_bench.blocks.references import reference_masks
from unseg_bench.blocks.thresholds import find_thresholds

from .options import AmconsOptions, GradcamconsOptions

OptionsT_co = TypeVar("OptionsT_co", bound=AmconsOptions | GradcamconsOptions, covariant=True)

CHOOSE = "choose the threshold by Dice"


class ConstrainedVaeMethod(Method[OptionsT_co]):
    """A VAE of axial slices that learns from normal ones, with a constraint that evens out an inner map of theirs; on a
    slice with a lesion that map is uneven, and what is high in it is the lesion.
    """

    @property
    def supervision(self) -> Supervision:
        """None; slice labels where they say what is normal, validation masks where they choose the threshold."""
        o = self.options
        return normals_supervision(o.normals.source, reads_validation_masks=o.thresholds.reads_masks)

    @property
    def weights(self) -> Sequence[str]:
        """CLIP's, where it finds the normal slices."""
        return self.options.normals.weights

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what the training and the maps cost."""
        from unseg_bench.blocks.costs import slices, tumour_slices

        o = self.options
        learned = round((1 - o.normals.held_out) * counts.training)
        step, a_map = (1.053e12 / 32, 5.939e9) if o.map == "grad-cam" else (4.065e11 / 8, 1.365e10)
        size = (o.slices.size / 224) ** 2
        steps = o.training.epochs * (learned * (slices(None) - tumour_slices(None)) // o.training.batch)
        pictures = learned * slices(None) * o.slices.size**2
        return [
            *o.normals.costs(counts.training),
            Cost("constrained-vae", steps * o.training.batch * step * size, bytes=pictures, depends=str(o)),
            Cost("constrained-vae-normals", (counts.training - learned) * slices(None) * a_map * size, depends=str(o)),
            Cost("segment", counts.segmented * slices(None) * a_map * size),
        ]

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Find normal slices, train on some cases' and find thresholds with the others'.

        The validation part is looked at only where its masks choose the threshold.
        """
        from unseg_bench.blocks.constrained_vae.maps import Maps, collect_best, collect_normals
        from unseg_bench.blocks.constrained_vae.training import train_vae

        o = self.options
        normals = find_normals(training, o.normals, context)
        fitting = FitOptions(map=o.map, slices=o.slices, network=o.network, loss=o.loss, training=o.training)
        vae = context.run(train_vae, fitting, cohort=normals.train, normal=normals.slices)
        context.note("constrained-vae", json.loads(vae.path("training.json").read_text(encoding="utf-8")))
        values = context.run(collect_normals, self._mapping, cohort=normals.held_out, normal=normals.slices, vae=vae)
        best = None
        if o.thresholds.reads_masks:
            masks = reference_masks(validation, context, CHOOSE)
            best = context.run(collect_best, self._mapping, cohort=validation, vae=vae, masks=masks)
        self._thresholds = find_thresholds(o.thresholds, context, values, best)
        self._maps = Maps(self._mapping, vae, context.device)

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Cut the map at the threshold; slices with little brain, and cases that look normal, stay empty."""
        return self._thresholds.apply(volume, self._maps.map_of(volume), context)

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Show slices as the network sees them, what it makes of them, the map and the mask."""
        views = self._maps.views_of(volume)
        low, high = self._maps.low, self._maps.high
        if self.options.inference.scale != "raw":
            low, high = 0.0, 1.0
        heat = np.clip((views.scores - low) / (high - low), 0.0, 1.0) * volume.brain
        steps = [
            Step("slices as the network sees them", heat=views.slices),
            Step("reconstruction", heat=views.reconstruction, note="of the latent mean"),
            Step("map", heat=heat, note="1: the highest of the normal slices"),
            Step("mask", mask=self._thresholds.apply(volume, views.scores, context)),
        ]
        return Explanation(volume, steps)

    @property
    def _mapping(self) -> MapOptions:
        o = self.options
        return MapOptions(map=o.map, slices=o.slices, network=o.network, inference=o.inference)
