"""3D IF: Naval Marimont, Tarroni, "Implicit field learning for unsupervised anomaly detection in medical images",
MICCAI 2021; rebuilt from its code (built on DeepSDF) and its notebook.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unseg_bench import CaseCounts, Cohort, Context, Cost, Explanation, Mask, Method, Supervision, Volume
from unseg_bench.blocks.normals import find_normals, normals_supervision
from unseg_bench.blocks.references import reference_masks
from unseg_bench.blocks.thresholds import find_thresholds

from .options import ImplicitFieldOptions
from .presets import CHECK, DEMO, PAPER, REFERENCE_CODE, SOURCES, STUDIES

if TYPE_CHECKING:
    from .maps import Mapper


class ImplicitField(Method[ImplicitFieldOptions]):
    """A network says what class a healthy brain has at each place; a scan is unlike it where it says something else."""

    name = "implicit-field"
    presets = {"paper": PAPER, "reference-code": REFERENCE_CODE, "demo": DEMO, "check": CHECK}
    preset_sources = SOURCES
    studies = STUDIES

    @property
    def supervision(self) -> Supervision:
        """None; slice labels or masks of the validation part where an option asks for them."""
        o = self.options
        return normals_supervision(o.normals.source, reads_validation_masks=o.thresholds.reads_masks)

    @property
    def weights(self) -> Sequence[str]:
        """CLIP's, where it finds the normal slices."""
        return self.options.normals.weights

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what the training and the fit of codes cost."""
        o = self.options
        held_out = round(o.normals.held_out * counts.training)
        point = 9.247e11 / (6 * 16_384)  # forward and backward; of the code alone two thirds of it
        steps = o.training.steps_for(counts.training - held_out)
        fitted = sum(steps * points for steps, points in zip(o.fit.steps, o.fit.points, strict=True))
        a_case = point * (fitted * 2 + o.scan.side**3) / 3
        return [
            *o.normals.costs(counts.training),
            Cost("implicit-field", steps * o.training.scans * o.training.points * point, depends=str(o)),
            Cost("implicit-field-normals", held_out * a_case, depends=str(o)),
            Cost("segment", counts.segmented * a_case),
        ]

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Find classes, train on normals, and find thresholds with other normals."""
        from .classes import find_classes
        from .maps import map_labelled, map_normals
        from .training import train_field

        o = self.options
        normals = find_normals(training, o.normals, context)
        slices = normals.slices if o.normals.source in {"clip", "slice-labels"} else ""
        classes = context.run(find_classes, o.scan, cohort=normals.train, slices=slices)
        self._field = context.run(train_field, o.learning, cohort=normals.train, slices=slices, classes=classes)
        values = context.run(map_normals, o.mapping, cohort=normals.held_out, slices=normals.slices, field=self._field)
        best = None
        if o.thresholds.reads_masks:
            masks = reference_masks(validation, context, "choose the threshold")
            best = context.run(map_labelled, o.mapping, cohort=validation, field=self._field, masks=masks)
        self._thresholds = find_thresholds(o.thresholds, context, values, best)
        self._cases: Cohort | None = None
        self._mapper: Mapper | None = None

    def expect(self, cases: Cohort, context: Context) -> None:
        """Remember the cases: they are fitted in groups."""
        self._cases = cases

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return where the map lies above the threshold; the network never saw the case."""
        mapper = self._load(context)
        mask = self._thresholds.apply(volume, mapper.map_of(volume), context)
        if volume.brain.any():
            fitted = mapper.fitted(volume)
            facts = {"first_ce": fitted.first, "fitted_ce": fitted.last, "code_norm": float(fitted.code.norm())}
            context.note("implicit-field", {"case": volume.case_id, **facts, "voxels": int(mask.sum())})
        return mask

    def explain(self, volume: Volume, context: Context) -> Explanation | None:
        """Show the classes, those that the field expects, and how the difference becomes the mask."""
        from .explanation import explain_field

        if not volume.brain.any():
            return None
        mapper = self._load(context)
        answer = self._thresholds.apply(volume, mapper.map_of(volume), context)
        return explain_field(volume, mapper.views(volume), answer)

    def _load(self, context: Context) -> "Mapper":
        """Return the network, loaded once, when the first case is segmented: what only plans a run needs none."""
        if self._mapper is None:
            from .maps import Mapper

            self._mapper = Mapper(self._field, self.options.mapping, context.device, self._cases)
        return self._mapper
