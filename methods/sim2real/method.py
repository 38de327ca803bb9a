"""Sim2Real: Zhang, Xie, Huang et al., "Self-supervised tumor segmentation with Sim2Real adaptation", IEEE JBHI 2023;
stage I rebuilt from its code, stage II from its figure, since no more of it is public.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unseg_bench import CaseCounts, Cohort, Context, Cost, Explanation, Mask, Method, Supervision, Volume

from .options import Sim2RealOptions
from .presets import CHECK, DEMO, PAPER, REFERENCE_CODE, SOURCES, STUDIES

if TYPE_CHECKING:
    from torch import nn


class Sim2Real(Method[Sim2RealOptions]):
    """A 3D U-Net learns to take simulated tumours off normal brains, then teaches itself on unlabelled real ones."""

    name = "sim2real"
    presets = {"paper": PAPER, "reference-code": REFERENCE_CODE, "demo": DEMO, "check": CHECK}
    preset_sources = SOURCES
    studies = STUDIES

    @property
    def supervision(self) -> Supervision:
        """None, unless normal slices come from true labels, or stage I's weights are chosen by references."""
        from unseg_bench.blocks.normals import normals_supervision

        o = self.options
        source = "all" if o.simulation.simulator == "phantom" else o.normals.source
        return normals_supervision(source, reads_validation_masks=o.training.keep == "best-validation-dice")

    @property
    def weights(self) -> Sequence[str]:
        """CLIP's, where it finds the normal slices."""
        return () if self.options.simulation.simulator == "phantom" else self.options.normals.weights

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what both stages and the passes cost; stretched volumes are most of what is written."""
        from math import prod

        o = self.options
        part = prod(o.grid.size) / 128**3 * (1.0 if o.network.kind == "unet3d" else 0.05)
        step, a_pass = 2.344e13 / 2 * o.training.batch * part, 3.908e12 * part
        rounds, written = o.adaptation.rounds, counts.training * prod(o.grid.size) * 5
        labelled = max(1, rounds) * counts.training
        normals = [] if o.simulation.simulator == "phantom" else o.normals.costs(counts.training)
        return [
            *normals,
            Cost("sim2real-volumes", bytes=2.0 * written, depends=str(o.grid)),
            Cost("sim2real-stage-1", o.training.steps * step, bytes=3e8, depends=str(o)),
            Cost("sim2real-pseudo-labels", labelled * a_pass, bytes=1.0 * max(1, rounds) * written, depends=str(o)),
            Cost("sim2real-stage-2", rounds * o.adaptation.steps * step, bytes=3e8 * rounds, depends=str(o)),
            Cost("segment", counts.segmented * a_pass * (1 + (rounds > 0))),
        ]

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Run both stages on the training part; validation images are looked at only where they choose the weights."""
        from .chain import train
        from .network import read_network
        from .stage_one import FACTS, WEIGHTS

        trained = train(self.options, training, validation, context)
        context.table("verification", trained.rows)
        for number, one in enumerate(trained.networks):
            facts = json.loads(one.path(FACTS).read_text(encoding="utf-8"))
            context.note("sim2real-training", {"stage": "II" if number else "I", "round": number, **facts})
        self._networks: list[nn.Module] = [
            read_network(one.path(WEIGHTS), self.options.network, context.device) for one in trained.networks
        ]

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the last network's answer; stage I's, and that of the other output, are scored beside it."""
        from .apart import answers, take_apart
        from .volumes import back, stretch

        if not volume.brain.any():
            return volume.empty_mask()
        o = self.options
        one = stretch(volume, o.grid.size)
        outputs = [take_apart(network, one, o.training.scale, mirror=o.answer.mirror) for network in self._ends]
        first, *_, found = [answers(one, volume, o.answer, o.training.scale) for one in (outputs[0], outputs[-1])]
        context.keep_map(volume, back(outputs[-1].probability, volume, o.answer.back))
        if len(outputs) > 1:
            context.alternative(volume, "stage-1", first[o.answer.output])
        for name in found.keys() - {o.answer.output}:
            context.alternative(volume, name, found[name])
        return found[o.answer.output]

    def explain(self, volume: Volume, context: Context) -> Explanation:
        """Show what each stage's network takes the image apart into."""
        from .explanation import explain_stages

        return explain_stages(self.options, self._networks, volume)

    @property
    def _ends(self) -> "list[nn.Module]":
        """Stage I's network and, where there was a stage II, the last one."""
        return [*self._networks[:1], *self._networks[1:][-1:]]
