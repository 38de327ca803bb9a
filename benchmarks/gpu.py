"""What a GPU does with the networks of the paper: the first thing to run on a new one; at most ten minutes.

    python benchmarks/gpu.py                          # the GPU that a run would take
    python benchmarks/gpu.py --small --device cpu     # in small, in half a minute, without a GPU

Printed and written: whether a sealed process gets the GPU; images a second of SAM's encoder, in the harness and bare;
steps a second of a classifier and a U-Net, in the harness and bare; what each way to be faster brings (bfloat16, TF32,
channels last, cuDNN's choice of algorithms, a fused optimiser); the most memory of each; whether `--deterministic`
gives equal bits. 'Bare' is the same network in a loop of its own, on a batch that is on the device already.

The harness uses none of the ways but bfloat16 ('mixed'): each is to be shown here to pay before it is built in. The
file belongs to docs/gpus/, named by the GPU, and docs/gpus.md says what to do with it.
"""

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from segment_anything import SamPredictor, sam_model_registry
from training_loop import Clock, Task, adam, inside, make_cases, slice_classifier, unet

from unseg_bench.blocks.heap import held_heap
from unseg_bench.blocks.precision import autocast, has_bfloat16
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.threads import use_threads
from unseg_bench.blocks.training import fit_network, seeded_torch
from unseg_bench.blocks.unet.options import CHECK_UNET, UNetOptions
from unseg_bench.data.atomic import write_json
from unseg_bench.errors import RunError
from unseg_bench.plugins.determinism import deterministic, explain_failure
from unseg_bench.plugins.device import Device, confirm_device, machine, package_versions, peak_memory, settle_device
from unseg_bench.run.facts import utc_now
from unseg_bench.run.gpu_check import check_gpu
from unseg_bench.words import bytes_text

PLACE = Path(__file__).resolve().parents[1] / "docs" / "gpus"
_WARM, _FEWEST, _MOST, _STEPS_FOR_BITS = 3, 3, 300, 3


@dataclass(frozen=True)
class Way:
    """A way to be faster, or none. `tf32`: of matrix products; cuDNN's convolutions have it unless `exact`."""

    name: str
    mixed: bool = False
    tf32: bool = False
    exact: bool = False
    channels_last: bool = False
    benchmark: bool = False
    fused: bool = False


WAYS = (
    Way("float32"),
    Way("float32, no TF32 in convolutions", exact=True),
    Way("float32, TF32 everywhere", tf32=True),
    Way("float32, channels last", channels_last=True),
    Way("float32, cuDNN chooses", benchmark=True),
    Way("float32, fused optimiser", fused=True),
    Way("mixed", mixed=True),
    Way("mixed, channels last", mixed=True, channels_last=True),
    Way("mixed, cuDNN chooses", mixed=True, benchmark=True),
    Way("mixed, all of these", mixed=True, tf32=True, channels_last=True, benchmark=True, fused=True),
)


@dataclass
class Results:
    """Rows of the table, each as soon as it is measured, until the time is over; then they are named as left out."""

    device: str
    seconds: float
    deadline: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def measure(self, part: str, what: str, rate: Callable[[], float]) -> None:
        """Add the row of what `rate` says a second, with the most memory that it took; or why there is none."""
        if time.monotonic() > self.deadline:
            self.left_out.append(f"{part}: {what}")
            return
        if self.device != "cpu":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        row: dict[str, Any] = {"part": part, "what": what}
        try:
            row |= {"per_second": rate(), "peak_bytes": peak_memory(self.device).get("gpu")}
        except (RuntimeError, torch.OutOfMemoryError) as error:
            row |= {"failed": str(error).partition("\n")[0]}
        self.rows.append(row)
        print(f"{part}: {what}: {row.get('failed') or round(row['per_second'], 2)}", flush=True)

    def rate_of(self, job: Callable[[], Any], each: int = 1) -> float:
        """How often a second `job` does its `each`, over about `seconds`, after a few times that do not count."""
        for _ in range(_WARM):
            job()
        once = self._clocked(job, 1)
        times = int(min(_MOST, max(_FEWEST, self.seconds / once)))
        return each * times / self._clocked(job, times)

    def _clocked(self, job: Callable[[], Any], times: int) -> float:
        self._settle()
        started = time.perf_counter()
        for _ in range(times):
            job()
        self._settle()
        return time.perf_counter() - started

    def _settle(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)


@contextmanager
def switched(way: Way) -> Generator[None]:
    """Have torch work in a way while inside."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("high" if way.tf32 else "highest")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = not way.exact, way.benchmark
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before[1:]


def measure_sam(results: Results, *, small: bool) -> None:
    """Images a second of the encoder: the package's network bare and in its own loop, and the harness's."""
    model, device = "miniature" if small else "vit_b", results.device
    with tempfile.TemporaryDirectory() as folder:
        weights = None if small else _random_sam(model, Path(folder))
        segmenter = SamSegmenter(model, weights, device=device)
        half = SamSegmenter(model, weights, device=device, precision="bfloat16") if has_bfloat16(device) else None
    pictures = np.random.default_rng(0).integers(0, 256, (4, 240, 240)).astype(np.uint8)
    size = segmenter.sam.image_encoder.img_size
    shown = torch.randn(1, 3, size, size, device=device)
    predictor, colour = SamPredictor(segmenter.sam), np.repeat(pictures[0][:, :, None], 3, axis=2)
    part = f"SAM {model}, images a second"

    def bare(way: Way) -> float:
        with switched(way), torch.inference_mode(), autocast("mixed" if way.mixed else "float32", device):
            return results.rate_of(lambda: segmenter.sam.image_encoder(shown))

    for way in (WAYS[0], *(one for one in WAYS if one.name in {"float32, TF32 everywhere", "mixed"})):
        results.measure(part, f"bare, {way.name}", lambda way=way: bare(way))
    results.measure(part, "segment-anything's predictor", lambda: results.rate_of(lambda: predictor.set_image(colour)))
    results.measure(part, "harness", lambda: results.rate_of(lambda: segmenter.encode(pictures[0])))
    for name, one in (("float32", segmenter), ("bfloat16", half)):
        if one is not None:
            job = lambda one=one: one.encode_many(pictures, batch_size=4)  # noqa: E731
            results.measure(part, f"harness, {name}, 4 at once", lambda job=job: results.rate_of(job, each=4))


def _random_sam(model: str, folder: Path) -> str:
    torch.manual_seed(0)
    sam: Any = cast("Any", sam_model_registry)[model]()
    torch.save(sam.state_dict(), folder / "random.pth")
    return str(folder / "random.pth")


def measure_training(results: Results, part: str, task: Task) -> None:
    """Steps a second of a training: bare in each way, and in the harness's loop at both precisions."""
    part = f"{part}, steps a second"
    for way in WAYS:
        results.measure(part, f"bare, {way.name}", lambda way=way: _bare_rate(results, task, way))
    for precision in ("float32", "mixed"):
        timed = replace(task, precision=precision)
        results.measure(part, f"harness, {precision}", lambda timed=timed: 1 / inside(timed, results.device)[0])


def _bare_rate(results: Results, task: Task, way: Way) -> float:
    device = results.device
    batch = tuple(tensor.to(device) for tensor in task.batch_for(0))
    network = task.network_of().to(device).train()
    if way.channels_last:
        planes = {4: torch.channels_last, 5: torch.channels_last_3d}
        axes = max(parameter.dim() for parameter in network.parameters())
        network = network.to(memory_format=planes[axes])
    optimizer = task.optimizer_for(network)(network.parameters())
    if way.fused:
        for group in optimizer.param_groups:
            group["fused"], group["foreach"] = True, False

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast("mixed" if way.mixed else "float32", device):
            loss = task.loss_of(network, batch)
        loss.backward()
        optimizer.step()

    with switched(way), seeded_torch(1), held_heap():
        return results.rate_of(step)


def equal_bits(task: Task, device: str) -> str:
    """Whether two trainings with --deterministic give the same weights bit for bit: 'yes', 'no', or what cannot."""
    try:
        with deterministic(True):
            first, second = (_trained(task, device) for _ in range(2))
    except RuntimeError as error:
        return explain_failure(type(error).__name__, error).partition("\n")[0]
    same = all(torch.equal(first[name], second[name]) for name in first)
    return "yes" if same else "no"


def _trained(task: Task, device: str) -> dict[str, torch.Tensor]:
    with seeded_torch(1):
        network = task.network_of()
    with tempfile.TemporaryDirectory() as folder:
        fit_network(
            network,
            batch_for=task.batch_for,
            loss_of=task.loss_of,
            optimizer_of=task.optimizer_for(network),
            steps=_STEPS_FOR_BITS,
            work=cast("Any", Clock(Path(folder), device)),
            precision=task.precision,
        )
    return network.state_dict()


def tasks(folder: Path, *, small: bool) -> dict[str, Task]:
    """The trainings that are measured; `small`: of networks and images that a CPU trains in moments."""
    steps = 5 if small else 40
    cases = make_cases(folder)
    if small:
        return {
            "small ResNet 48 px": slice_classifier("small-resnet", 48, 8, steps, folder),
            "small U-Net": unet(UNetOptions(**CHECK_UNET), steps, cases, folder / "unet"),
        }
    return {
        "ResNet-50 224 px, batch 8": replace(
            slice_classifier("resnet50", 224, 8, steps, folder), optimizer_for=adam(1e-4)
        ),
        "U-Net 128^3, batch 2": unet(UNetOptions(), steps, cases, folder / "unet"),
    }


def seal_of(device: Device) -> dict[str, Any]:
    """What a sealed process sees of the GPU; without one, that there is none."""
    if device.kind == "cpu":
        return {"gpu": "none: this measures the CPU"}
    try:
        return check_gpu()
    except RunError as error:
        return {"failed": str(error)}


def table_of(results: Results, title: str) -> Table:
    """A row a measurement; 'to bare' is against the bare float32 loop of the same network."""
    table = Table("part", "what", "a second", "to bare", "most memory", title=title)
    bare = {row["part"]: row.get("per_second") for row in results.rows if row["what"] == "bare, float32"}
    named = ""
    for row in results.rows:
        part, named = (row["part"] if row["part"] != named else ""), row["part"]
        if "failed" in row:
            table.add_row(part, row["what"], row["failed"], "", "")
            continue
        reference, memory = bare.get(row["part"]), row["peak_bytes"]
        ratio = f"{row['per_second'] / reference:.2f}" if reference else ""
        shown = bytes_text(memory) if memory else "-"
        table.add_row(part, row["what"], f"{row['per_second']:.2f}", ratio, shown)
    return table


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; returns 1 where a sealed process does not get the GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--small", action="store_true", help="in small, to see that it works")
    parser.add_argument("--seconds", type=float, help="of each measurement (default: 6, in small 0.1)")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which nothing is begun")
    parser.add_argument("--out", type=Path, help="the file (default: docs/gpus/<GPU>.json, in small none)")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    began, device = time.monotonic(), settle_device(chosen.device)
    if device.kind == "cpu" and not chosen.small:
        parser.error(f"this measures GPUs, and a run would compute on {device.text}; --small --device cpu tries it out")
    seal = seal_of(device)
    print(json.dumps(seal, indent=1), flush=True)
    results = Results(
        confirm_device(device.name), chosen.seconds or (0.1 if chosen.small else 6.0), began + 60 * chosen.minutes
    )
    use_threads()
    bits: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="ubench-gpu-") as folder:
        measure_sam(results, small=chosen.small)
        for name, task in tasks(Path(folder), small=chosen.small).items():
            measure_training(results, name, task)
            bits[name] = equal_bits(task, results.device)
    Console().print(table_of(results, device.text))
    print("equal bits with --deterministic: " + ", ".join(f"{name}: {said}" for name, said in bits.items()))
    if results.left_out:
        print("left out, the time was over: " + ", ".join(results.left_out))
    out = chosen.out or (None if chosen.small else PLACE / f"{_slug(device.model)}.json")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, _record(device, seal, results, bits, began, small=chosen.small))
        print(f"written: {out}")
    return 1 if "failed" in seal else 0


def _record(
    device: Device, seal: dict[str, Any], results: Results, bits: dict[str, str], began: float, *, small: bool
) -> dict[str, Any]:
    return {
        "made": utc_now(),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "small": small,
        "device": device.to_json(),
        "seal": seal,
        "machine": machine(),
        "versions": package_versions(),
        "ways": [asdict(way) for way in WAYS],
        "rows": results.rows,
        "equal_bits": bits,
        "left_out": results.left_out,
    }


def _slug(model: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")


if __name__ == "__main__":
    raise SystemExit(main())
