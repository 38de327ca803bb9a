"""Sim2Real's `fit`: from images to the network of each stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from unseg_bench import Artifact, Cohort, Context, RunError
from unseg_bench.blocks.normals import find_normals
from unseg_bench.blocks.references import reference_masks

from .options import Sim2RealOptions
from .stage_one import StageOneOptions, learn_to_restore
from .stage_two import LabellingOptions, StageTwoOptions, adapt, change, label_cases, read_verified
from .volumes import stretched

Row: TypeAlias = Mapping[str, str | float | bool | None]

CHOOSE = "choose stage I's weights by Dice"


@dataclass(frozen=True, slots=True)
class Trained:
    """The networks, stage I's first, then one for each round; and the table of what each round learned from."""

    networks: Sequence[Artifact]
    rows: Sequence[Row]


def train(options: Sim2RealOptions, training: Cohort, validation: Cohort, context: Context) -> Trained:
    """Run stage I, and stage II for as many rounds as are asked for or change anything."""
    brains = stretched(training, options.grid, context.run)
    made_of = _simulations(options, training, brains, context)
    first = _stage_one(options, made_of, validation, context)
    made_of.pop("held_out", None)
    return _stage_two(options, made_of, brains, first, context)


def _simulations(options: Sim2RealOptions, training: Cohort, brains: Artifact, context: Context) -> dict[str, Any]:
    """What samples are made of: normal brains and, from the training part alone, donors; or pairs of phantoms."""
    simulation = options.simulation
    if simulation.simulator == "phantom":
        from .phantom_pairs import PairOptions, make_pairs, require_phantoms

        require_phantoms()
        asked = PairOptions(count=simulation.phantoms, spacing_mm=simulation.phantom_spacing_mm, size=options.grid.size)
        return {"pairs": context.run(make_pairs, asked)}
    normals = find_normals(training, options.normals, context)
    known, held_out = (
        stretched(cohort, options.grid, context.run, normals.slices) for cohort in (normals.train, normals.held_out)
    )
    return {"normals": known, "held_out": held_out, "donors": brains}


def _stage_one(options: Sim2RealOptions, made_of: Mapping[str, Any], validation: Cohort, context: Context) -> Artifact:
    chosen_by, masks = "", ""
    if options.training.keep != "last":
        if not len(validation):
            raise RunError(
                f"training.keep={options.training.keep}: the data set has no validation case; give it a validation "
                "part, or set training.keep=last"
            )
        chosen_by = stretched(validation, options.grid, context.run)
    if options.training.keep == "best-validation-dice":
        masks = reference_masks(validation, context, CHOOSE)
    asked = StageOneOptions(network=options.network, simulation=options.simulation, training=options.training)
    return context.run(learn_to_restore, asked, validation=chosen_by, masks=masks, **made_of)


def _stage_two(
    options: Sim2RealOptions, made_of: Mapping[str, Any], brains: Artifact, first: Artifact, context: Context
) -> Trained:
    networks, rows, wanted = [first], list[Row](), options.adaptation
    reading = LabellingOptions(
        network=options.network, scale=options.training.scale, mirror=options.answer.mirror,
        keep_share=wanted.keep_share,
    )  # fmt: skip
    before: Artifact | None = None
    for number in range(1, max(1, wanted.rounds) + 1):
        labels = context.run(label_cases, reading, brains=brains, network=networks[-1])
        changed = None if before is None else change(before, labels)
        rows += _rows(number, labels, wanted.share, changed)
        if number > wanted.rounds or (changed is not None and changed < wanted.stop):
            break
        asked = StageTwoOptions(
            network=options.network, simulation=options.simulation, training=options.training, number=number,
            steps=wanted.steps, share=wanted.share, learning_rate=wanted.learning_rate,
        )  # fmt: skip
        networks.append(context.run(adapt, asked, network=networks[-1], brains=brains, labels=labels, **made_of))
        before = labels
    return Trained(networks, rows)


def _rows(number: int, labels: Artifact, share: float, changed: float | None) -> list[Row]:
    """What a round sees of each case: error of recomposition, the pseudo-label's voxels, whether it teaches."""
    found = read_verified(labels)
    kept = found.kept(share)
    return [
        {
            "round": number, "case": case_id, "error": error, "voxels": found.voxels[case_id], "kept": case_id in kept,
            "change": changed,
        }
        for case_id, error in found.errors.items()
    ]  # fmt: skip
