"""Masks of another run, or of a folder, as input: what is given, what is inherited, what is refused."""

import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.errors import DataError, LabelAccessError, RunError, UbenchError
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.evidence import collect_evidence
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import label_free
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.progress import Silent
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

BRIGHT = """
class Options(MethodOptions):
    level: float = 1.0

class Bright(Method):
    name = "bright"
    Options = Options
    def segment(self, volume, context):
        return volume.brain & (volume.image > self.options.level)
"""
READS = """
class Reads(Method):
    name = "reads"
    supervision = Supervision.PROMPTS_FROM_MASKS
    def segment(self, volume, context):
        return context.labels.mask(volume.case_id, "prompts") | (volume.image > 2)
"""
REFINES = """
class Options(MethodOptions):
    source: str = "none"
    other: str = ""
    case: str = ""
    late: str = ""

@stage("peek")
def peek(work, *, what, context):
    np.save(work.folder / "mask.npy", context.predicted_mask(what, "3"))

class Refines(Method):
    name = "refines"
    Options = Options
    def segment(self, volume, context):
        o = self.options
        if o.late == "stage":
            context.run(peek, what=o.source, extras={"context": context})
        mask = context.predicted_mask("/etc" if o.late == "elsewhere" else o.source, o.case or volume.case_id)
        assert mask.dtype == bool and (o.case or mask.shape == volume.shape)
        if o.other:
            mask = mask | context.predicted_mask(o.other, volume.case_id)
        context.note("note", {"value": [volume.case_id, int(mask.sum())]})
        mask[...] = ~mask
        return ~mask if mask.shape == volume.shape else volume.brain
"""
HOW = pytest.mark.parametrize("sealed", ["required", "off"])


class Masks:
    """Makes runs that give masks, and runs the method that is given them."""

    def __init__(self, bench):
        self.bench = bench
        bench.method(REFINES)

    def source(self, text, name="source", **settings):
        file = self.bench.folder / f"{name}.py"
        file.write_text("import numpy as np\nfrom unseg_bench import *\n" + text)
        return self.bench.run(methods=[str(file)], **{"sealed": "off", **settings})

    def installed_source(self, text, name):
        """The same of an installed method, which works in this process where it is not sealed."""
        file = self.bench.folder / "installed_source.py"
        file.write_text("import numpy as np\nfrom unseg_bench import *\n" + text)
        plugins = load_plugins()
        plugins.load_file(file)
        settings = make_settings(self.bench.values(methods=[name], sealed="off"))
        (plan,) = plan_runs(settings, plugins, self.bench.folder / "runs")
        return execute(plan, Silent())

    def refine(self, source, *, sealed="off", **options):
        return self.bench.run(set={"source": str(source), **options}, sealed=sealed)

    def folder_of(self, run, name="folder"):
        folder = self.bench.folder / name
        shutil.copytree(run.path / "predictions", folder)
        return folder


@pytest.fixture
def masks(bench):
    return Masks(bench)


def voxels(run):
    return {path.name: nib.load(path).get_fdata().astype(bool) for path in (run.path / "predictions").iterdir()}


def same(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


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
@pytest.mark.parametrize("way", ["folder", "link", "hard link", "copy"])
def test_reference_masks_are_refused(masks, sealed, way):
    bench = masks.bench
    folder = bench.folder / "handed"
    folder.mkdir()
    options = bench.values()["dataset_options"]
    if way == "folder":
        for case in bench.data.glob("case-*"):
            shutil.move(case / "seg.nii.gz", folder / f"{case.name.removeprefix('case-')}.nii.gz")
        options["data"], options["reference"] = str(bench.folder), "handed/*.nii.gz"
        options["image"], options["healthy"] = "data/case-*/flair.nii.gz", None
    for case in bench.data.glob("case-*") if way != "folder" else ():
        place = folder / f"{case.name.removeprefix('case-')}.nii.gz"
        if way == "link":
            place.symlink_to(case / "seg.nii.gz")
        elif way == "hard link":
            place.hardlink_to(case / "seg.nii.gz")
        else:
            shutil.copyfile(case / "seg.nii.gz", place)
    with pytest.raises(LabelAccessError, match=r"reference mask.* of the data set 'folder'"):
        bench.run(set={"source": str(folder)}, sealed=sealed, dataset_options=options)
    refused = bench.plan(set={"source": str(folder)}, sealed=sealed, dataset_options=options).folder.record
    assert "mask_sources" not in refused
    assert refused["label_reads"] == []


def test_a_reference_put_among_a_runs_predictions_is_refused(masks):
    source = masks.source(BRIGHT)
    case = source.record["cases"][0]
    shutil.copyfile(masks.bench.data / f"case-{case}" / "seg.nii.gz", source.prediction(case))
    refined = masks.refine(source.path)
    assert "LabelAccessError" in refined.failed_cases[case]
    assert list(refined.failed_cases) == [case]


def test_an_empty_mask_is_no_copy_of_an_empty_reference(masks):
    source = masks.source(BRIGHT, set={"level": 99.0})
    for case in source.record["cases"]:
        shutil.copyfile(source.prediction(case), masks.bench.data / f"case-{case}" / "seg.nii.gz")
    assert sum(mask.sum() for mask in voxels(masks.refine(source.path)).values()) == 0


@HOW
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: None, "no such folder; masks come from a run's folder"),
        (lambda folder: folder.mkdir(), r"holds neither \d.nii.gz nor \d.nii"),
    ],
)
def test_a_source_without_masks_says_what_is_needed(masks, sealed, spoil, message):
    folder = masks.bench.folder / "nothing"
    spoil(folder)
    sealed_text = "masks come from a folder that an option of the method names"
    with pytest.raises(DataError, match=f"nothing: .*({message}|{sealed_text})"):
        masks.refine(folder, sealed=sealed)


def test_a_mask_twice_under_two_endings_is_refused(masks):
    folder = masks.folder_of(masks.source(BRIGHT))
    for file in list(folder.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    with pytest.raises(DataError, match=r"holds both \d.nii.gz and \d.nii; one mask"):
        masks.refine(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "phantom"}, "is a run on the data set 'phantom', not on this copy of 'folder'"),
        ({"dataset_identity": {"digest": "another"}}, "is a run on the data set 'folder', not on this copy"),
        ({"state": "started"}, "this run is not finished; finish it first"),
        ({"cases": []}, r"this run has no prediction of case \d \(it segmented the part 'test'\)"),
        ({"cases": [], "failed_cases": {"3": "bad luck"}}, r"case 3 \(it failed there: bad luck\)"),
    ],
)
def test_runs_that_do_not_fit_are_refused(masks, change, message):
    source = masks.source(BRIGHT)
    source.update(change)
    with pytest.raises(DataError, match=message):
        masks.refine(source.path, case="3" if "failed_cases" in change else "")


def test_a_run_is_not_its_own_source(masks):
    own = masks.bench.plan(set={"source": str(masks.bench.folder / "link")}, sealed="off").folder.path
    shutil.copytree(masks.source(BRIGHT).path, own)
    shutil.rmtree(own / "predictions")
    RunFolder(own).update({"failed_cases": {"9": "?"}})
    (masks.bench.folder / "link").symlink_to(own)
    with pytest.raises(DataError, match="is this very run"):
        masks.refine(masks.bench.folder / "link")


@HOW
@pytest.mark.parametrize("case", ["../../etc/passwd", "3\n", "nobody"])
def test_case_ids_never_become_paths_unchecked(masks, sealed, case):
    source = masks.source(BRIGHT)
    with pytest.raises(UbenchError, match=r"cannot be used as a file name|matches no case nobody"):
        masks.refine(source.path, sealed=sealed, case=case)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("grid", "is not on the grid of .*flair.nii.gz: origins are"),
        ("nan", "values are not integer labels"),
        ("negative", "has the label -2"),
        ("labels", None),
    ],
)
def test_masks_are_read_as_labels_on_the_grid_of_the_case(masks, change, message):
    folder = masks.folder_of(masks.source(BRIGHT))
    for file in folder.iterdir():
        image = nib.load(file)
        data, affine = image.get_fdata().astype(np.float32), image.affine.copy()
        if change == "grid":
            affine[0, 3] += 5
        data = {"nan": np.where(data > 0, np.nan, 0), "negative": -2 * data, "labels": 4 * data}.get(change, data)
        nib.save(nib.Nifti1Image(data.astype(np.float32), affine), file)
    if message:
        with pytest.raises(DataError, match=message):
            masks.refine(folder)
    else:
        assert same(voxels(masks.refine(folder)), voxels(masks.source(BRIGHT)))


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
