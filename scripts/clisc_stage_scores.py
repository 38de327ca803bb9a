"""Score what each stage of CLISC leaves behind against the references: a study; the method itself sees no label.

    python scripts/clisc_stage_scores.py --seeds 0,1,2
    python scripts/clisc_stage_scores.py --set amda.unmasked_share=0 --set amda.within=brain

The training part is scored from the cached results of the run (what is missing is computed). The test part, which
CLISC sends through the last U-Net only, is here sent through every trained stage. Printed: mean DSC in % a seed and
stage, the mean over the seeds, the accuracy of CLIP's slice labels, and what a SAM prompted by references would score.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from unseg_bench_methods.clisc import cams, pseudo_labels, self_training, slice_labels
from unseg_bench_methods.clisc.method import Clisc
from unseg_bench_methods.clisc.options import CliscOptions, PredictOptions, SamStageOptions

from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.blocks.working_volumes import at_spacing
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.context import Artifact, Input, Stage
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.device import pick_device
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.progress import Silent
from unseg_bench.run.settings import make_settings, parse_assignments
from unseg_bench.run.stages import Call, StageCache, read_seconds

STAGES = ("CAM", "CAM after AMDA", "SAM pseudo-label", "U-Net", "U-Net after S3F", "SAM on references")


@dataclass
class StudyContext:
    """A Context that remembers every result, in order, by the stage's name; labels are not in it."""

    seed: int
    device: str
    offline: bool
    cache: StageCache
    results: dict[str, list[Artifact]] = field(default_factory=dict)
    inputs: dict[str, list[Mapping[str, Input]]] = field(default_factory=dict)

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Take a stage's result from the cache, or compute it."""
        call = Call(step, options, inputs, self.seed)
        found = self.cache.find(call)
        artifact = found or self.cache.compute(call, device=self.device, report=Silent().step, extras=extras)
        self.results.setdefault(step.name, []).append(artifact)
        self.inputs.setdefault(step.name, []).append(inputs)
        return artifact

    def record_weights(self, name: str, sha256: str) -> None:
        """Accept it: a study has no run.json."""


class References:
    """Reference masks of the cases of a data set, on the prepared grid, through the one door to labels."""

    def __init__(self, plan: RunPlan, store: PreparedStore) -> None:
        self._door = LabelDoor(plan.dataset, plan.split, Supervision.PROMPTS_FROM_MASKS, store, lambda _: None)

    def __call__(self, case_id: str) -> NDArray[np.bool_]:
        """Return one mask."""
        return self._door.mask(case_id, "study of CLISC's stages")


def main() -> None:
    """Parse, run a seed after the other, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0", help="comma-separated")
    parser.add_argument("--dataset", default="phantom")
    parser.add_argument("--preset", default=None)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of CLISC")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=VALUE", help="an option of the data set")
    given = parser.parse_args()
    settings = make_settings(
        {
            "methods": ("clisc",),
            "dataset": given.dataset,
            "dataset_options": parse_assignments(given.data),
            "preset": given.preset,
            "set": parse_assignments(given.set),
            "seeds": tuple(int(seed) for seed in given.seeds.split(",")),
        }
    )
    rows: dict[str, list[dict[str, float]]] = {"train": [], "test": []}
    for plan in plan_runs(settings, load_plugins(), Path("runs")):
        for part, scores in study(plan).items():
            rows[part].append(scores)
            print_row(f"{part}, seed {plan.seed}", scores)
    for part, scores in rows.items():
        print_row(f"{part}, mean", {name: fmean(one[name] for one in scores) for name in scores[0]})


def study(plan: RunPlan) -> dict[str, dict[str, float]]:
    """Mean DSC (0-1) of each stage, and the slice labels' accuracy, on the training and the test part."""
    store = PreparedStore(cache_dir() / "prepared")
    cohort = partial(build_cohort, dataset=plan.dataset, store=store, progress=Silent().step)
    training, test = cohort("train", plan.split.train), cohort("test", plan.split.test)
    options = plan.options
    assert isinstance(options, CliscOptions)
    context = StudyContext(plan.seed, pick_device(plan.settings.device), False, StageCache(cache_dir() / "stages"))
    Clisc(options).fit(training, cohort("valid", plan.split.valid), context)
    print("seconds:", {name: [read_seconds(one) for one in found] for name, found in context.results.items()})
    print_similarity(context, training, options, References(plan, store))
    return {part.name: score_part(part, options, context, References(plan, store)) for part in (training, test)}


def score_part(
    part: Cohort, options: CliscOptions, context: StudyContext, reference_of: References
) -> dict[str, float]:
    """Send a part through every trained stage and score what each one leaves."""
    run = StudyContext(context.seed, context.device, context.offline, context.cache).run
    cohort = at_spacing(part, options.spacing_mm, run)
    weights = {name: context.inputs[name][0]["weights"] for name in ("clip-labels", "sam-masks")}
    trained = {name: context.results[name][0] for name in ("classifier", "amda-classifier", "unet", "unet-after-s3f")}
    extras = {"offline": context.offline}
    sam = SamStageOptions(prompts=options.prompts, sam=options.sam)
    prompted = partial(
        run, pseudo_labels.segment_regions, sam, cohort=cohort, weights=weights["sam-masks"], extras=extras
    )

    labels = run(slice_labels.label_slices, options.clip, cohort=cohort, weights=weights["clip-labels"], extras=extras)
    regions: list[Artifact] = []
    for name in ("classifier", "amda-classifier"):
        cam = run(cams.compute_cams, options.cam, cohort=cohort, labels=labels, classifier=trained[name])
        regions.append(run(cams.binarise_cams, options.region, cohort=cohort, cams=cam))
    predict = PredictOptions(unet=options.unet, inference=options.inference)
    segmented = [
        run(self_training.predict_all, predict, cohort=cohort, unet=trained[name])
        for name in ("unet", "unet-after-s3f")
    ]
    oracle = prompted(regions=write_references(cohort, reference_of, context.cache.folder.parent / "study"))
    found = (*regions, prompted(regions=regions[1]), *segmented, oracle)
    scores = {
        name: fmean(dsc(one.array(case_id), reference_of(case_id)) for case_id in part.case_ids)
        for name, one in zip(STAGES, found, strict=True)
    }
    return {**scores, "slice labels": accuracy(labels, cohort, reference_of)}


def write_references(cohort: Cohort, reference_of: References, folder: Path) -> Artifact:
    """References on the working grid, as regions to prompt SAM from."""
    target = folder / cohort.digest[:24]
    target.mkdir(parents=True, exist_ok=True)
    for volume in cohort:
        np.save(target / f"{volume.case_id}.npy", mask_to_shape(reference_of(volume.case_id), volume.shape))
    return Artifact("references", target, f"references {cohort.digest}")


def dsc(mask: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """DSC on the reference's grid (0-1)."""
    x, y, z = reference.shape
    own = mask if mask.shape == reference.shape else mask_to_shape(mask, (x, y, z))
    return 2.0 * int((own & reference).sum()) / max(1, int(own.sum()) + int(reference.sum()))


def accuracy(labels: Artifact, cohort: Cohort, reference_of: References) -> float:
    """Share of the slices whose label says truly whether there is any tumour."""
    right: list[NDArray[np.bool_]] = []
    for volume in cohort:
        slices, tumour = slice_labels.labelled_slices(labels, volume.case_id)
        truth = mask_to_shape(reference_of(volume.case_id), volume.shape).any(axis=(0, 1))
        right.append(tumour == truth[slices])
    return float(np.concatenate(right).mean())


def print_similarity(context: StudyContext, training: Cohort, options: CliscOptions, reference_of: References) -> None:
    """Say how well S3F's similarity tells good predictions from bad ones."""
    predictions = context.results["unet-predictions"][0]
    record = json.loads(context.results["s3f"][0].path("kept.json").read_text(encoding="utf-8"))
    true = [dsc(predictions.array(case_id), reference_of(case_id)) for case_id in training.case_ids]
    similar = [record["similarity"][case_id] for case_id in training.case_ids]
    kept = fmean(value for value, case_id in zip(true, training.case_ids, strict=True) if case_id in record["kept"])
    print(
        f"S3F, beta {options.s3f.beta:g}: correlation of similarity and true DSC "
        f"{np.corrcoef(true, similar)[0, 1]:.2f}; mean DSC of all {100 * fmean(true):.1f}, of the kept {100 * kept:.1f}"
    )


def print_row(title: str, scores: Mapping[str, float]) -> None:
    """One line of percentages."""
    print(f"{title}: " + ", ".join(f"{name} {100 * value:.1f}" for name, value in scores.items()), flush=True)


if __name__ == "__main__":
    main()
