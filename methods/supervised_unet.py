"""The upper bound: the same 3D U-Net that CLISC ends with, trained on the reference masks of the training cases."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unseg_bench.blocks.unet_options import CHECK_UNET, DEMO_INFERENCE, DEMO_UNET, UNetInference, UNetOptions
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.plugins.context import Artifact, Context, Labels, Work, stage
from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.method import Method, MethodOptions

if TYPE_CHECKING:
    from unseg_bench.blocks.unet3d import Network

_PURPOSE = "train the U-Net"

DEMO: dict[str, Any] = {"unet": {**DEMO_UNET, "steps": 450}, "inference": DEMO_INFERENCE}
CHECK: dict[str, Any] = {"unet": CHECK_UNET, "inference": DEMO_INFERENCE}


class SupervisedUnetOptions(MethodOptions):
    """`unet`: network and training. `inference`: how it segments; changing that trains nothing again."""

    unet: UNetOptions = UNetOptions()
    inference: UNetInference = UNetInference()


@stage("reference-masks", seeded=False)
def collect_masks(work: Work, *, cohort: Cohort, masks: str, labels: Labels) -> None:
    """Write the masks of a cohort as `<number>.npy`, in the cohort's order; `masks` is their digest."""
    for number, case_id in enumerate(cohort.case_ids):
        np.save(work.folder / f"{number}.npy", labels.mask(case_id, _PURPOSE), allow_pickle=False)
        work.progress(number + 1, len(cohort), case_id)


@stage("supervised-unet")
def train(work: Work, options: UNetOptions, *, cohort: Cohort, masks: Artifact) -> None:
    """Train the U-Net on the reference masks and write `unet.safetensors`."""
    from unseg_bench.blocks.patches import LabelledCase
    from unseg_bench.blocks.training import save_network
    from unseg_bench.blocks.unet_training import train_unet

    cases = [
        LabelledCase(volume.image, masks.array(str(number)), volume.brain, volume.spacing_mm)
        for number, volume in enumerate(cohort)
    ]
    network, _ = train_unet(work, options, cases)
    save_network(work.folder / "unet.safetensors", network)


class SupervisedUnet(Method):
    """Reads every training mask; what label-free methods are measured against from above."""

    name = "supervised-unet"
    supervision = Supervision.MASKS
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "demo": DEMO, "check": CHECK}
    Options = SupervisedUnetOptions
    options: SupervisedUnetOptions

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        """Train on the training part; the last epoch is kept, so the validation part is not looked at."""
        masks = context.run(
            collect_masks,
            cohort=training,
            masks=_digest_of_masks(training, context.labels),
            extras={"labels": context.labels},
        )
        trained = context.run(train, self.options.unet, cohort=training, masks=masks)
        self._network = self._load(trained, context.device)

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the network's tumour."""
        from unseg_bench.blocks.unet_training import segment_unet

        return segment_unet(self._network, self.options.unet, self.options.inference, volume)

    def _load(self, trained: Artifact, device: str) -> "Network":
        from unseg_bench.blocks.unet_training import load_unet

        return load_unet(trained.path("unet.safetensors"), self.options.unet, device)


def _digest_of_masks(cohort: Cohort, labels: Labels) -> str:
    """Return the SHA-256 over all masks of the cohort: a corrected reference makes the training stale."""
    digest = hashlib.sha256()
    for case_id in cohort.case_ids:
        mask = labels.mask(case_id, _PURPOSE)
        digest.update(f"{case_id} {mask.shape} ".encode())
        digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()


@hookimpl
def ubench_methods() -> list[type[Method]]:
    """Register the supervised U-Net."""
    return [SupervisedUnet]
