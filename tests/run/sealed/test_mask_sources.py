"""Masks of another run, or of a folder, as input: what is given, and what is inherited."""

import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.run.sealed.mask_runs import BRIGHT, HOW, READS, same, voxels
from unseg_bench.errors import DataError, RunError
from unseg_bench.run.evidence import collect_evidence
from unseg_bench.run.ledger import label_free


@HOW
def test_a_run_gives_its_masks_and_the_record_says_which(masks, sealed):
    source = masks.source(BRIGHT, sealed=sealed)
    refined = masks.refine(source.path, sealed=sealed)
    assert same(voxels(refined), voxels(source))
    assert sum(mask.sum() for mask in voxels(source).values()) > 0
    (entry,) = refined.record["mask_sources"].values()
    digests = collect_digests(source)
    assert entry == {
        "run": source.path.name,
        "mode": {"required": "sealed", "off": "not sealed"}[sealed],
        "own_weights": False,
        "opened_data_files": 0,
        "masks": {case: {"name": f"predictions/{case}.nii.gz", "sha256": digests[case]} for case in digests},
    }
    assert list(refined.record["mask_sources"]) == [str(source.path.resolve())]
    assert label_free(refined.record) == {"required": "yes (sealed)", "off": "not sealed"}[sealed]
    assert collect_evidence(refined)["mask_sources"] == refined.record["mask_sources"]


def collect_digests(run):
    import hashlib

    return {
        path.name.removesuffix(".nii.gz"): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (run.path / "predictions").iterdir()
    }


@HOW
def test_what_the_source_read_of_labels_is_inherited(masks, sealed):
    source = masks.source(READS)
    refined = masks.refine(source.path, sealed=sealed)
    read = [(one["case"], one["kind"], one["purpose"]) for one in refined.record["label_reads"]]
    assert read == [(case, "mask", f"in {source.path.name}: prompts") for case in source.record["cases"]]
    assert label_free(refined.record) == "no: 2 masks"
    again = masks.bench.run(set={"source": str(refined.path), "late": "again"}, sealed=sealed)
    assert label_free(again.record) == "no: 2 masks"
    purpose = f"in {refined.path.name}: in {source.path.name}: prompts"
    assert {one["purpose"] for one in again.record["label_reads"]} == {purpose}


def test_a_seal_is_as_strong_as_the_weakest_run_in_the_chain(masks):
    refined = masks.refine(masks.source(BRIGHT).path, sealed="required")
    assert refined.record["seal"]["mode"] == "sealed"
    assert label_free(refined.record) == "not sealed"
    again = masks.refine(refined.path, sealed="required")
    assert label_free(again.record) == "not sealed"


def test_what_the_source_opened_by_itself_is_inherited(masks):
    peeks = BRIGHT.replace("return", f"open({str(masks.bench.data / 'case-3' / 'seg.nii.gz')!r}).close(); return")
    source = masks.installed_source(peeks, "bright")
    assert label_free(source.record) == "no: 1 opened data file"
    assert label_free(masks.refine(source.path).record) == "no: 1 opened data file"


def test_reading_masks_is_not_held_against_an_unsealed_method(masks):
    folder = masks.folder_of(masks.source(BRIGHT), "data/masks")
    refined = masks.refine(folder)
    assert "opened_data_files" not in refined.record["seal"]
    assert label_free(refined.record) == "unknown (masks from elsewhere)"


@HOW
def test_a_folder_of_masks_makes_the_column_unknown(masks, sealed):
    source = masks.source(BRIGHT)
    folder = masks.folder_of(source)
    first = sorted(folder.iterdir())[0]
    first.with_suffix("").write_bytes(gzip.decompress(first.read_bytes()))
    first.unlink()
    refined = masks.refine(folder, sealed=sealed)
    assert same(voxels(refined), voxels(source))
    assert label_free(refined.record) == "unknown (masks from elsewhere)"
    (entry,) = refined.record["mask_sources"].values()
    assert (entry["run"], entry["mode"]) == (None, "unknown")


def test_what_is_unknown_stays_so_and_what_is_known_comes_first(masks):
    folder = masks.folder_of(masks.source(BRIGHT))
    refined = masks.refine(folder)
    assert label_free(masks.refine(refined.path).record) == "unknown (masks from elsewhere)"
    known = masks.refine(folder, other=str(masks.source(READS).path))
    assert label_free(known.record) == "no: 2 masks"


def test_predictions_made_elsewhere_make_the_column_unknown(masks):
    source = masks.source(BRIGHT)
    source.update({"made_elsewhere": True, "state": "complete"})
    assert label_free(masks.refine(source.path).record) == "unknown (masks from elsewhere)"


@HOW
def test_masks_are_asked_for_outside_of_stages(masks, sealed):
    source = masks.source(BRIGHT)
    with pytest.raises(RunError, match="asked for outside of stages"):
        masks.refine(source.path, sealed=sealed, late="stage")


def test_a_sealed_method_may_only_ask_for_what_an_option_names(masks):
    source = masks.source(BRIGHT)
    with pytest.raises(DataError, match="/etc: masks come from a folder that the user names in an option"):
        masks.refine(source.path, sealed="required", late="elsewhere")


LEAVES = """
class Options(MethodOptions):
    source: str = ""

@stage("left", seeded=False)
def left(work, *, masks):
    np.save(work.folder / "sums.npy", [int(mask.sum()) for mask in masks])

class Leaves(Method):
    name = "leaves"
    Options = Options
    def expect(self, cases, context):
        source = self.options.source
        masks = [context.predicted_mask(source, case) for case in cases.case_ids] if source else []
        self.left = context.run(left, extras={"masks": masks})
    def segment(self, volume, context):
        context.note("note", {"value": self.left.array("sums").tolist()})
        return volume.brain
"""


@pytest.mark.parametrize(("text", "column"), [(READS, "no: 2 masks"), (BRIGHT, "yes (sealed)")])
def test_a_stage_made_with_masks_is_not_for_a_run_that_never_asked_for_them(masks, text, column):
    """What a process leaves among its stages may tell of labels that the source read."""
    source = masks.source(text, sealed="auto")
    masks.bench.method(LEAVES)
    first = masks.refine(source.path, sealed="required")
    assert label_free(first.record) == column
    assert all(masks.bench.notes(first))
    without = masks.bench.run(sealed="required")
    assert label_free(without.record) == "yes (sealed)"
    assert masks.bench.notes(without) == [[], []]
    again = masks.bench.run(set={"source": str(source.path)}, sealed="required", limit=1)
    assert label_free(again.record) == column


@HOW
def test_changed_masks_are_segmented_again(masks, sealed):
    source = masks.source(BRIGHT)
    refined = masks.refine(source.path, sealed=sealed)
    before = voxels(refined)
    assert masks.bench.notes(refined) != []
    untouched = (refined.path / "run.json").read_bytes()
    assert masks.refine(source.path, sealed=sealed).path == refined.path
    assert (refined.path / "run.json").read_bytes() == untouched

    case = source.record["cases"][0]
    image = nib.load(source.prediction(case))
    changed = np.zeros(image.shape, np.uint8)
    changed[6:8, 5:7, 4:6] = 1
    digest = collect_digests(source)[case]
    nib.save(nib.Nifti1Image(changed, image.affine), source.prediction(case))
    made = source.path / "made.jsonl"  # as if the source itself had made another one
    made.write_text(made.read_text().replace(digest, collect_digests(source)[case]))
    after = voxels(masks.refine(source.path, sealed=sealed))
    assert after[f"{case}.nii.gz"].sum() == changed.sum()
    others = before.keys() - {f"{case}.nii.gz"}
    assert others
    assert all(np.array_equal(after[name], before[name]) for name in others)
    (entry,) = refined.record["mask_sources"].values()
    assert entry["masks"][case]["sha256"] == collect_digests(source)[case]
    assert refined.record["state"] == "predicted"


def test_a_finished_run_stays_when_its_source_is_gone(masks):
    source = masks.source(BRIGHT)
    refined = masks.refine(source.path)
    shutil.rmtree(source.path)
    before = json.dumps(refined.record)
    assert masks.refine(source.path).path == refined.path
    assert json.dumps(refined.record) == before
