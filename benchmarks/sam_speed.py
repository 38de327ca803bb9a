"""SAM against the package's own SamPredictor and SamAutomaticMaskGenerator, in one run on the same slices.

    python benchmarks/sam_speed.py                       # ViT-B at full size, 4 slices: some minutes on two cores
    python benchmarks/sam_speed.py --slices 60 --grid 0
    python benchmarks/sam_speed.py --model miniature --slices 60 --grid 16

Slices are those of phantoms at 1 mm that show tumour; each is prompted with its tumour's box and points. Weights are
random unless --weights names some: the time is the same, and equal masks of random weights need equal logits. Both take
turns, slice by slice, with one model between them. Printed are sums over the slices; 'cpu' is processor time, which
neighbours on a busy machine add less to than to the clock. 'two rounds' asks each slice twice, as CLISC with
self-training does: the package encodes it again, unseg-bench has kept it; it is summed from the rows above. The last
row is everything mode on one encoded slice.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from segment_anything import SamAutomaticMaskGenerator, SamPredictor, sam_model_registry

from unseg_bench.blocks.phantom.generator import generate_phantom
from unseg_bench.blocks.precision import has_bfloat16
from unseg_bench.blocks.prompts import Prompt, prompt_of
from unseg_bench.blocks.sam.everything import everything
from unseg_bench.blocks.sam.options import EverythingOptions
from unseg_bench.blocks.sam.segmenter import SamEmbedding, SamSegmenter
from unseg_bench.blocks.threads import use_threads

Picture = NDArray[np.uint8]
MaskOfSlice = NDArray[np.bool_]


@dataclass
class Times:
    """Seconds of one job, on the clock and of the processor, by the package and by us."""

    package: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    ours: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def __add__(self, other: "Times") -> "Times":
        return Times(self.package + other.package, self.ours + other.ours)


@dataclass
class Agreement:
    """Mask IoU with the package's, one a prompt: as it is, from kept embeddings, and in bfloat16 where it is there."""

    exact: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    bfloat16: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vit_b", choices=("vit_b", "vit_l", "vit_h", "miniature"))
    parser.add_argument("--weights", help="a name of `ubench weights` or a file; random without it")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--slices", type=int, default=4)
    parser.add_argument("--grid", type=int, default=6, help="points a side of everything mode; 0: leave it out")
    options = parser.parse_args()
    threads = use_threads()
    with tempfile.TemporaryDirectory() as folder:
        weights = options.weights
        if weights is None and options.model != "miniature":
            weights = random_weights(options.model, Path(folder))
        segmenter = SamSegmenter(options.model, weights, device=options.device)
        half = None
        if has_bfloat16(options.device):
            half = SamSegmenter(options.model, weights, device=options.device, precision="bfloat16")
    slices = list(tumour_slices(options.slices))
    encoder, prompts, agreement = compare_prompts(segmenter, half, slices)
    one_round = encoder + prompts
    rows = {"encoder": encoder, "prompts": prompts, "one round": one_round}
    rows["two rounds"] = Times(2 * one_round.package, one_round.ours + prompts.ours)
    if options.grid:
        rows[f"{options.grid}² points"] = compare_everything(segmenter, slices[0][0], options.grid)
    console = Console()
    console.print(_times(f"{options.model}, {len(slices)} slices, {options.device}, {threads} threads", rows))
    console.print(_agreement(agreement))


def random_weights(model: str, folder: Path) -> str:
    """Write the package's initial weights, with relative positions that are not zero, and return the file."""
    torch.manual_seed(0)
    sam: Any = sam_model_registry[model]()
    for name, parameter in sam.image_encoder.named_parameters():
        if "rel_pos" in name or name == "pos_embed":
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save(sam.state_dict(), folder / "random.pth")
    return str(folder / "random.pth")


def tumour_slices(count: int) -> Iterator[tuple[Picture, MaskOfSlice]]:
    """Axial slices with tumour, (Y, X), cropped to the brain; a new phantom when one has no more."""
    case = 0
    while True:
        phantom = generate_phantom(cohort_seed=1, case_index=case, tumour_ml=60.0, spacing_mm=1.0)
        box = tuple(slice(where.min(), where.max() + 1) for where in np.nonzero(phantom.image))
        image, tumour = phantom.image[box], phantom.reference[box]
        shown = np.flatnonzero(tumour.sum((0, 1)) >= 30)
        shown = shown[np.linspace(0, len(shown) - 1, min(count, len(shown))).astype(int)]
        for index in shown:
            yield np.uint8(255 * image[:, :, index].T / image[:, :, index].max()), tumour[:, :, index].T
        count -= len(shown)
        if not count:
            return
        case += 1


def compare_prompts(
    segmenter: SamSegmenter, half: SamSegmenter | None, slices: list[tuple[Picture, MaskOfSlice]]
) -> tuple[Times, Times, Agreement]:
    """Encode each slice and ask it with one prompt, in turns."""
    encoder, prompts, agreement = Times(), Times(), Agreement()
    predictor = SamPredictor(segmenter.sam)
    for number, (picture, tumour) in enumerate(slices):
        colour = np.repeat(picture[:, :, None], 3, axis=2)
        prompt = prompt_of(tumour, picture, kind="both", points="paper", dilation_px=0)
        _timed(lambda: predictor.set_image(colour), encoder.package)  # noqa: B023 - called at once
        embedding = _timed(lambda: segmenter.encode(picture), encoder.ours)  # noqa: B023
        expected = _timed(lambda: by_predictor(predictor, prompt), prompts.package)  # noqa: B023
        found = _timed(lambda: segmenter.segment_many(embedding, [prompt])[0][0], prompts.ours)  # noqa: B023
        agreement.exact.append(mask_iou(found, expected))
        kept = segmenter.embedding(embedding.features.half().float(), embedding.original_size)
        agreement.kept.append(mask_iou(segmenter.segment_many(kept, [prompt])[0][0], expected))
        if half is not None:
            agreement.bfloat16.append(mask_iou(half.segment_many(half.encode(picture), [prompt])[0][0], expected))
        print(f"slice {number + 1} of {len(slices)}", end="\r", flush=True)
    return encoder, prompts, agreement


def compare_everything(segmenter: SamSegmenter, picture: Picture, grid: int) -> Times:
    """Everything mode on one slice that both have encoded; about half of the masks pass the predicted IoU."""
    places = np.stack(np.meshgrid(*(np.linspace(0, size, 6)[1:-1] for size in picture.shape[::-1])), axis=-1)
    asked = [Prompt(None, point[None].astype(np.float32), np.ones(1, np.int64)) for point in places.reshape(-1, 2)]
    embedding = segmenter.encode(picture)
    likely = float(np.median(segmenter.segment_many(embedding, asked, choose="best")[1]))
    # Random weights give logits near zero, whose stability is as random.
    settings = {"points_per_side": grid, "pred_iou_thresh": likely, "stability_score_thresh": 0.0}
    generator = SamAutomaticMaskGenerator(segmenter.sam, **settings)
    generator.predictor.set_image = lambda _: _hand_over(embedding, generator.predictor)
    chosen = EverythingOptions(**settings, edge_tolerance_px=20)
    times = Times()
    expected = _timed(lambda: generator.generate(np.repeat(picture[:, :, None], 3, axis=2)), times.package)
    found = _timed(lambda: everything(segmenter, picture, chosen, embedding=embedding), times.ours)
    line = f"everything: {len(expected)} masks by the package, {len(found)} by unseg-bench"
    if found and len(expected) == len(found):
        least = min(mask_iou(one.mask, other["segmentation"]) for one, other in zip(found, expected, strict=True))
        line += f", in the same order, least mask IoU {least:.4f}"
    print(line)
    return times


def _hand_over(embedding: SamEmbedding, predictor: SamPredictor) -> None:
    """What `set_image` leaves in a predictor, without the encoder."""
    predictor.features, predictor.is_image_set = embedding.features, True
    predictor.original_size, predictor.input_size = embedding.original_size, embedding.input_size


def by_predictor(predictor: SamPredictor, prompt: Prompt) -> MaskOfSlice:
    """The package's single mask."""
    return predictor.predict(prompt.points, prompt.labels, np.array(prompt.box), multimask_output=False)[0][0]


def mask_iou(one: MaskOfSlice, other: MaskOfSlice) -> float:
    """Intersection over union; 1 for two empty masks."""
    union = int((one | other).sum())
    return 1.0 if not union else int((one & other).sum()) / union


def _timed(job: Callable[[], Any], into: NDArray[np.float64]) -> Any:  # noqa: ANN401 - whatever the job returns
    """Run a job, add its seconds, on the clock and of the processor, to `into`."""
    start = np.array([time.perf_counter(), time.process_time()])
    result = job()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    into += np.array([time.perf_counter(), time.process_time()]) - start
    return result


def _times(title: str, rows: dict[str, Times]) -> Table:
    table = Table("job", "package s", "ours s", "ratio", "package cpu s", "ours cpu s", "ratio", title=title)
    for name, times in rows.items():
        cells = (
            f"{value:.2f}"
            for package, ours in zip(times.package, times.ours, strict=True)
            for value in (package, ours, package / ours)
        )
        table.add_row(name, *cells)
    return table


def _agreement(agreement: Agreement) -> Table:
    table = Table("masks", "mean IoU with the package's", "least", title="mask IoU, one prompt a slice")
    rows = {"float32": agreement.exact, "embeddings kept": agreement.kept, "bfloat16": agreement.bfloat16}
    for name, values in rows.items():
        if values:
            table.add_row(name, f"{np.mean(values):.5f}", f"{min(values):.5f}")
        else:
            table.add_row(name, "this device has none", "")
    return table


if __name__ == "__main__":
    main()
