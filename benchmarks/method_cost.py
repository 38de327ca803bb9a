"""Arithmetic that each method needs at full size for the published split: COMPUTED from its networks, nothing is run.

    python benchmarks/method_cost.py
    python benchmarks/method_cost.py --json clisc sim2real

Products and sums of every convolution and matrix product are counted by torch's FlopCounterMode on tensors without
memory (device 'meta'), backward passes as they are, second order included. Norms, activations, augmentation, resampling
and reading are not counted; on a GPU they overlap with it or do not, so a real run is slower. Hours and bytes are what
the methods declare of themselves (`Method.costs`), as a dry run prints them: FLOP at a sustained rate, and a least time
of steps that wait for memory or for many small kernels. tests/test_method_cost.py holds both counts of FLOP together.
"""

import argparse
import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from unseg_bench_methods.clisc.options import CliscOptions
from unseg_bench_methods.constrained_vae.options import AmconsOptions, GradcamconsOptions
from unseg_bench_methods.implicit_field.network import AutoDecoder, Field
from unseg_bench_methods.implicit_field.options import ImplicitFieldOptions
from unseg_bench_methods.salip.options import SalipOptions
from unseg_bench_methods.sim2real.network import build_network
from unseg_bench_methods.sim2real.options import Sim2RealOptions
from unseg_bench_methods.synthetic.method import ADAPTED
from unseg_bench_methods.synthetic.options import NETWORK, SPACING_MM, AdaptationOptions

from unseg_bench.blocks.classifier import build_classifier
from unseg_bench.blocks.constrained_vae.losses import attention_map
from unseg_bench.blocks.constrained_vae.network import ConstrainedVae
from unseg_bench.blocks.unet.options import NNUNET, UNetOptions
from unseg_bench.blocks.unet.training import build_unet
from unseg_bench.plugins.cost import GPU_TFLOPS, CaseCounts
from unseg_bench.plugins.cost import Cost as Declared
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.plugins.presets import preset_options
from unseg_bench.words import bytes_text

TRAIN, VALID, TEST = 257, 37, 75
"""Cases of the published split of BraTS2020."""
HEAD = (140, 170, 140)
"""Voxels of a brain's box at 1 mm; so 140 axial slices with brain."""
TUMOUR_SHARE = 0.45
"""Share of a brain's slices that have tumour, or are called so by CLIP; the others count as normal."""
PROPOSALS = 20
"""Of SaLIP, a slice, that are left for CLIP; an assumption, and a small part of the whole."""

NetworkT = TypeVar("NetworkT", bound=nn.Module)
SLICES = HEAD[2]
TUMOUR_SLICES = round(SLICES * TUMOUR_SHARE)


@dataclass(frozen=True)
class Work:
    """What is done how often. `flop`: of one."""

    what: str
    flop: float
    times: float

    @property
    def total(self) -> float:
        """FLOP of all."""
        return self.flop * self.times


@dataclass(frozen=True)
class Cost:
    """A method's work: once for the training part, and for each case that is segmented."""

    learning: Sequence[Work]
    a_case: Sequence[Work]

    @property
    def learned(self) -> float:
        """FLOP of learning."""
        return sum(work.total for work in self.learning)

    @property
    def segmented(self) -> float:
        """FLOP of one case."""
        return sum(work.total for work in self.a_case)

    @property
    def total(self) -> float:
        """FLOP of learning and of segmenting the test part."""
        return self.learned + TEST * self.segmented


def counted(do: Callable[[], object]) -> float:
    """Return the FLOP of what `do` computes."""
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        do()
    return float(counter.get_total_flops())


def without_memory(make: Callable[[], NetworkT]) -> NetworkT:
    """Make a network without memory for its weights."""
    with torch.device("meta"):
        return make().train()


def forward(network: nn.Module, *shape: int) -> float:
    """Return the FLOP of a forward pass."""
    return counted(lambda: network(torch.empty(shape)))


def step(network: nn.Module, *shape: int) -> float:
    """Return the FLOP of a forward and a backward pass."""

    def do() -> None:
        found = network(torch.empty(shape))
        sum(one.sum() for one in ([found] if isinstance(found, Tensor) else found)).backward()

    return counted(do)


def unet_training(name: str, options: UNetOptions, cases: int) -> Work:
    """The training of a U-Net on so many cases."""
    network = without_memory(lambda: build_unet(options))
    return Work(f"steps of {name}", step(network, options.batch, 1, *options.patch), options.steps_for(cases))


def unet_case(options: UNetOptions, mirrored: int = 1) -> Work:
    """The windows of one case, which overlap by half, each mirrored so many times."""
    network = without_memory(lambda: build_unet(options)).eval()
    windows = math.prod(
        1 + math.ceil(max(0, length - side) / (side // 2)) for length, side in zip(HEAD, options.patch, strict=True)
    )
    return Work("windows", forward(network, 1, 1, *options.patch), windows * mirrored)


@cache
def clip_picture() -> float:
    """CLIP's ViT-B/32 of one picture."""
    import open_clip

    logging.getLogger().setLevel(logging.ERROR)  # it warns that no weights are loaded, as is meant
    model = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None, device="meta", load_weights=False).train()
    return counted(lambda: model.encode_image(torch.empty(1, 3, 224, 224)))


def sam(model: str, tokens: int) -> tuple[float, float]:
    """(Encoder's FLOP of a slice, decoder's FLOP of a prompt of so many tokens), in the orders of the package."""
    from segment_anything import sam_model_registry

    network = without_memory(lambda: sam_model_registry[model](checkpoint=None))
    batch = 16

    def decode() -> object:
        image, dense = torch.empty(1, 256, 64, 64), torch.empty(batch, 256, 64, 64)
        return network.mask_decoder.predict_masks(image, image, torch.empty(batch, tokens, 256), dense)

    return counted(lambda: network.image_encoder(torch.empty(1, 3, 1024, 1024))), counted(decode) / batch


def clisc() -> Cost:
    """CLIP, two classifiers, CAMs, SAM twice on slices encoded once, two U-Nets; then one U-Net a case."""
    options = CliscOptions()
    network = without_memory(lambda: build_classifier("resnet50", weights=None))
    one = step(network, options.classifier.batch, 3, 224, 224) / options.classifier.batch
    slices, tumour = TRAIN * SLICES, TRAIN * TUMOUR_SLICES
    encoder, decoder = sam("vit_b", 8)
    kept = math.ceil(TRAIN * (1 - options.s3f.beta / 100))
    return Cost(
        [
            Work("CLIP, slices", clip_picture(), slices),
            Work("classifiers, slices learned", one, 2 * options.classifier.epochs * slices),
            Work("CAMs, slices", one, 2 * tumour),
            Work("SAM, slices encoded", encoder, tumour),
            Work("SAM, prompts", decoder, 2 * tumour),
            unet_training("the first U-Net", options.unet, TRAIN),
            unet_training("the second U-Net", options.unet, kept),
        ],
        [unet_case(options.unet)],
    )


def salip() -> Cost:
    """SAM of each slice and its four crops, the grid's points, CLIP of what is left, and one box."""
    everything, crops = SalipOptions().everything, 4
    encoder, decoder = sam("vit_h", 2)
    side = everything.points_per_side
    points = side**2 + crops * (side // everything.crop_n_points_downscale_factor) ** 2
    return Cost(
        [],
        [
            Work("SAM, slices and crops encoded", encoder, SLICES * (1 + crops)),
            Work("SAM, points and a box", decoder, SLICES * (points + 1)),
            Work("CLIP, crops", clip_picture(), SLICES * PROPOSALS),
        ],
    )


def sam_prompts() -> Cost:
    """SAM of each slice with tumour."""
    encoder, decoder = sam("vit_b", 8)
    return Cost([], [Work("SAM, slices encoded", encoder, TUMOUR_SLICES), Work("prompts", decoder, TUMOUR_SLICES)])


def supervised() -> Cost:
    """CLISC's U-Net on all training masks."""
    return Cost([unet_training("the U-Net", UNetOptions(), TRAIN)], [unet_case(UNetOptions())])


def nnunet() -> Cost:
    """nnU-Net's; each window is mirrored in eight ways."""
    options = UNetOptions(**NNUNET)
    return Cost([unet_training("nnU-Net's U-Net", options, TRAIN)], [unet_case(options, mirrored=8)])


def constrained_vae(options: AmconsOptions | GradcamconsOptions) -> Cost:
    """Normal slices are learned from, and looked at for thresholds; then all slices of a case."""
    network = without_memory(lambda: ConstrainedVae(options.network, options.slices.size))
    batch, size = options.training.batch, options.slices.size
    second_order = options.map == "grad-cam"

    def learn() -> None:
        coded = network(torch.empty(batch, size, size))
        shallow = attention_map(options.map, coded.mean, coded.shallow, trains=True)
        (coded.logits.sum() + coded.mean.sum() + coded.log_var.sum() + shallow.square().sum()).backward()

    def look() -> None:
        mean, shallow = network.look(torch.empty(1, size, size))
        attention_map(options.map, mean, shallow)

    held_out = round(options.normals.held_out * TRAIN)
    normal = SLICES - TUMOUR_SLICES
    steps = options.training.epochs * ((TRAIN - held_out) * normal // batch)
    name = "steps of the VAE, second order" if second_order else "steps of the VAE"
    a_map = counted(look)
    return Cost(
        [
            Work("CLIP, slices", clip_picture(), TRAIN * SLICES),
            Work(name, counted(learn), steps),
            Work("maps of held-out normals", a_map, held_out * SLICES),
        ],
        [Work("maps, slices", a_map, SLICES)],
    )


def amcons() -> Cost:
    """The VAE of 2022."""
    return constrained_vae(AmconsOptions())


def gradcamcons() -> Cost:
    """The VAE of 2021."""
    return constrained_vae(GradcamconsOptions())


def implicit_field() -> Cost:
    """The field, then a code for each case, and for each held-out normal."""
    options = ImplicitFieldOptions()
    held_out = round(options.normals.held_out * TRAIN)
    training, fit, side = options.training, options.fit, options.scan.side
    octaves = options.network.octaves_for(side)
    network = without_memory(lambda: AutoDecoder(Field(options.network, octaves, options.scan.classes), training.scans))
    field = network.field

    def learn(scans: int, points: int) -> float:
        return counted(lambda: field(network.codes[:scans], torch.empty(scans, points, 3)).sum().backward())

    a_step = learn(training.scans, training.points)
    field.requires_grad_(False)
    fitted = [
        Work(f"fit, steps of {points} points", learn(1, points), steps)
        for steps, points in zip(fit.steps, fit.points, strict=True)
    ]
    voxels = 4096
    decode = counted(lambda: field(network.codes[:1], torch.empty(1, voxels, 3))) / voxels
    a_case = [*fitted, Work("voxels decoded", decode, side**3)]
    return Cost(
        [
            Work("CLIP, slices", clip_picture(), TRAIN * SLICES),
            Work("steps of the field", a_step, training.steps_for(TRAIN - held_out)),
            Work("maps of held-out normals", sum(work.total for work in a_case), held_out),
        ],
        a_case,
    )


def sim2real() -> Cost:
    """Stage I, then for each round of stage II the training cases once and its steps."""
    options = Sim2RealOptions()
    size, rounds = options.grid.size, options.adaptation.rounds
    network = without_memory(lambda: build_network(options.network))
    a_step, a_pass = step(network, options.training.batch, 1, *size), forward(network, 1, 1, *size)
    return Cost(
        [
            Work("CLIP, slices", clip_picture(), TRAIN * SLICES),
            Work("steps of stage I", a_step, options.training.steps),
            Work("pseudo-labels", a_pass, rounds * TRAIN),
            Work("steps of stage II", a_step, rounds * options.adaptation.steps),
        ],
        [Work("passes, of stage I and II", a_pass, 2)],
    )


def synthetic() -> Cost:
    """Two passes, each of the volume and its mirror image."""
    return Cost([], [_pair_case()])


def synthetic_adapted() -> Cost:
    """The same, after both have learned from the training cases on which they agree."""
    network, steps = without_memory(lambda: build_unet(NETWORK)), AdaptationOptions(**ADAPTED["adaptation"]).steps
    a_step, case = step(network, NETWORK.batch, 1, *NETWORK.patch), _pair_case()
    answers = Work("answers", case.flop, case.times * TRAIN)
    return Cost([answers, Work("steps of both", a_step, 2 * steps)], [case])


def _pair_case() -> Work:
    network = without_memory(lambda: build_unet(NETWORK)).eval()
    size = [16 * math.ceil(length / SPACING_MM / 16) for length in HEAD]
    return Work("passes", forward(network, 1, 1, *size), 2 * 2)


METHODS: dict[str, Callable[[], Cost]] = {
    "clisc": clisc,
    "salip": salip,
    "amcons": amcons,
    "gradcamcons": gradcamcons,
    "implicit-field": implicit_field,
    "sim2real": sim2real,
    "sam-prompts": sam_prompts,
    "supervised-unet": supervised,
    "supervised-unet (nnunet)": nnunet,
    "synthetic": synthetic,
    "synthetic (adapted)": synthetic_adapted,
}


def declared(name: str) -> list[Declared]:
    """Return what the method itself says of its costs, which dry runs print: 'supervised-unet (nnunet)' is a preset."""
    method, _, preset = name.rstrip(")").partition(" (")
    found = load_plugins().method(method)
    made = found(preset_options(found, preset or "paper"))
    return list(made.costs(CaseCounts(TRAIN, VALID, TEST)))


def hours(name: str) -> float:
    """Hours of one data-centre GPU, as the method declares them: FLOP, and the least time of short steps."""
    return sum(cost.seconds("gpu") for cost in declared(name)) / 3600


def written(name: str) -> float:
    """Bytes that it writes."""
    return sum(cost.bytes for cost in declared(name))


def as_json(costs: dict[str, Cost]) -> str:
    """All parts of all methods."""
    assumed = {
        "train": TRAIN, "test": TEST, "brain_box_voxels": HEAD, "tumour_share_of_slices": TUMOUR_SHARE,
        "proposals_a_slice": PROPOSALS, "sustained_tflops": GPU_TFLOPS, "how": "computed, not measured",
    }  # fmt: skip
    parts = {
        name: {
            kind: [{"what": work.what, "flop": work.flop, "times": work.times} for work in works]
            for kind, works in (("learning", cost.learning), ("a_case", cost.a_case))
        }
        | {"flop": cost.total, "hours": hours(name), "bytes": written(name)}
        for name, cost in costs.items()
    }
    return json.dumps({"assumed": assumed, "methods": parts}, indent=1)


def main() -> None:
    """Print one line a method, with its largest part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help=f"of {', '.join(METHODS)}; all by default")
    parser.add_argument("--json", action="store_true", help="all parts, on standard output")
    arguments = parser.parse_args()
    if unknown := set(arguments.methods) - set(METHODS):
        parser.error(f"no method {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    costs = {name: METHODS[name]() for name in arguments.methods or METHODS}
    if arguments.json:
        print(as_json(costs))
        return
    print(f"COMPUTED, not measured: {TRAIN} training and {TEST} test cases, one data-centre GPU")
    print(f"{'method':26}{'learning':>14}{'a case':>14}{'all':>14}{'hours':>8}{'disk':>9}  largest part of all FLOP")
    for name, cost in costs.items():
        parts = [(work.total, work.what) for work in cost.learning]
        parts += [(TEST * work.total, work.what) for work in cost.a_case]
        largest, what = max(parts)
        print(
            f"{name:26}{cost.learned / 1e15:8.3g} PFLOP{cost.segmented / 1e12:8.3g} TFLOP{cost.total / 1e15:8.3g} PFLOP"
            f"{hours(name):8.2g}{bytes_text(round(written(name))):>9}  {what} ({largest / cost.total:.0%})"
        )


if __name__ == "__main__":
    main()
