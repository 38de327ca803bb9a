"""The upper bound: the same 3D U-Net that CLISC ends with, trained on the reference masks of the training cases."""

from collections.abc import Sequence
from typing import Any

from unseg_bench import (
    Artifact,
    CaseCounts,
    Cohort,
    Context,
    Cost,
    Mask,
    Method,
    MethodOptions,
    Supervision,
    Volume,
    Work,
    hookimpl,
    stage,
    write_json,
)
from unseg_bench.blocks.references import reference_masks
from unseg_bench.blocks.unet.options import (
    CHECK_UNET,
    DEMO_INFERENCE,
    DEMO_UNET,
    NNUNET,
    NNUNET_INFERENCE,
    UNetInference,
    UNetOptions,
)

_TRAIN, _CHOOSE = "train the U-Net", "choose the U-Net's weights"

DEMO: dict[str, Any] = {"unet": {**DEMO_UNET, "steps": 450}, "inference": DEMO_INFERENCE}
CHECK: dict[str, Any] = {"unet": CHECK_UNET, "inference": DEMO_INFERENCE}


class SupervisedUnetOptions(MethodOptions):
    """`unet`: network and training. `inference`: how it segments; changing that trains nothing again."""

    unet: UNetOptions = UNetOptions()
    inference: UNetInference = UNetInference()


@stage("supervised-unet")
def train(
    work: Work, options: UNetOptions, *, cohort: Cohort, masks: Artifact,
    validation: Cohort | None = None, validation_masks: Artifact | None = None,
) -> None:  # fmt: skip
    """Train the U-Net on the reference masks and write `unet.safetensors` and `training.json`."""
    from unseg_bench.blocks.training import save_network
    from unseg_bench.blocks.unet.training import train_unet
    from unseg_bench.blocks.working_cases import CohortCases

    cases = CohortCases(cohort, masks.array, cohort.case_ids)
    chosen_by = ()
    if validation is not None and validation_masks is not None:
        chosen_by = CohortCases(validation, validation_masks.array, validation.case_ids)
    network, log = train_unet(work, options, cases, validation=chosen_by)
    save_network(work.folder / "unet.safetensors", network)
    facts = {"cases": len(cases), "final_loss": log.final_loss, "kept_step": log.kept_step, "scores": log.scores}
    write_json(work.folder / "training.json", facts)


class SupervisedUnet(Method[SupervisedUnetOptions]):
    """Reads every training mask, and those of validation where they choose the weights; the bound from above."""

    name = "supervised-unet"
    preset_sources = {
        "paper": "The network and schedule of CLISC's preset 'paper', its turns and last step too, trained on masks.",
        "nnunet": "nnU-Net's network, augmentation and number of steps (Isensee et al., 2021), without its folds.",
        "demo": "Ours: a small network on a coarse grid; a minute on two cores.",
        "check": "Ours: the preset 'demo' in seconds.",
    }
    presets = {
        "paper": {},
        "nnunet": {"unet": NNUNET, "inference": NNUNET_INFERENCE},
        "demo": DEMO,
        "check": CHECK,
    }

    @property
    def supervision(self) -> Supervision:
        """The masks of the training part, and of validation."""
        return Supervision.MASKS

    def costs(self, counts: CaseCounts) -> Sequence[Cost]:
        """Return what the training and the windows of all cases cost."""
        from unseg_bench.blocks.costs import unet_cases_cost, unet_training_cost

        o = self.options
        mirrored = 8 if o.inference.mirror == "all-axes" else 1
        return [
            unet_training_cost("supervised-unet", o.unet, counts.training, str(o.unet)),
            unet_cases_cost("segment", o.unet, counts.segmented, mirrored=mirrored),
        ]

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Train on the training part; the validation part is looked at for keep 'best-validation-dice' only."""
        from unseg_bench.blocks.unet.training import load_unet

        options = self.options.unet
        inputs: dict[str, Any] = {"cohort": training, "masks": reference_masks(training, context, _TRAIN)}
        if options.keep != "last":
            inputs |= {"validation": validation, "validation_masks": reference_masks(validation, context, _CHOOSE)}
        trained = context.run(train, options, **inputs)
        self._network = load_unet(trained.path("unet.safetensors"), options, context.device)

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the network's tumour."""
        from unseg_bench.blocks.unet.training import segment_unet

        return segment_unet(self._network, self.options.unet, self.options.inference, volume)


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the supervised U-Net."""
    return [SupervisedUnet]
