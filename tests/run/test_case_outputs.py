"""Maps and alternatives: on the image's own grid, once a case, kept only where asked for, never ahead of the truth."""

import nibabel as nib
import numpy as np
import pytest

from tests.silent import Silent
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore
from unseg_bench.errors import DataError, RunError
from unseg_bench.run.case_outputs import MOST_ALTERNATIVES, CaseOutputs
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.runner import execute

HANDS = {"hands_over": True}
CASES = ["case-4", "case-5", "case-6"]


def stems(folder):
    return sorted(path.name.removesuffix(".nii.gz") for path in folder.glob("*.nii.gz"))


def prepared_of(toy, case_id):
    return PreparedStore(cache_dir() / "prepared").prepare(case_id, toy.plan().dataset.image(case_id))


@pytest.fixture
def outputs(toy, tmp_path):
    return CaseOutputs(RunFolder(tmp_path / "run"), keep_maps=True)


@pytest.fixture
def case(toy):
    return prepared_of(toy, "case-4")


def test_alternatives_are_always_written_and_maps_only_where_asked_for(toy):
    run = toy.run(set=HANDS)
    assert stems(run.path / "alternatives" / "brain") == CASES
    assert run.alternatives == ["brain"]
    assert not (run.path / "maps").exists()
    assert run.without_map == set()


def test_a_map_lies_on_the_images_own_grid_with_its_lowest_value_outside(toy):
    run = toy.run(set=HANDS, keep_maps=True)
    prepared = prepared_of(toy, "case-5")
    kept, image = (nib.load(path) for path in (run.map_file("case-5"), prepared.source.path))
    assert kept.get_data_dtype() == np.float32
    assert np.array_equal(kept.affine, image.affine)
    values = np.asarray(kept.dataobj)
    volume = prepared.volume()
    assert np.array_equal(prepared.placement.take(values), volume.image)
    box = prepared.placement.restore(np.ones(volume.shape, np.bool_))
    assert (values[~box] == volume.image.min()).all()
    assert volume.image.min() < 0


def test_whether_maps_are_kept_changes_neither_the_runs_name_nor_its_stages(toy):
    run = toy.run(set=HANDS)
    toy.forget()
    assert toy.run(set=HANDS, keep_maps=True).path == run.path
    assert [line for line in toy.lines if not line.startswith(("segment", "handed"))] == []


def test_a_finished_run_without_maps_is_segmented_again_for_them_and_then_no_more(toy):
    toy.run(set=HANDS)
    run = toy.run(set=HANDS, keep_maps=True)
    assert stems(run.path / "maps") == CASES
    assert run.record["settings"]["keep_maps"] is True
    toy.forget()
    toy.run(set=HANDS, keep_maps=True)
    toy.run(set=HANDS)
    assert toy.lines == []


def test_only_what_lacks_a_map_is_segmented_again(toy):
    run = toy.run(set=HANDS, keep_maps=True)
    run.map_file("case-5").unlink()
    toy.forget()
    toy.run(set=HANDS, keep_maps=True)
    assert toy.lines == ["segment case-5", "handed over case-5"]


def test_a_method_that_hands_over_no_map_is_not_asked_again_and_that_is_said(toy):
    class Told(Silent):
        lines: list[str] = []  # noqa: RUF012

        def message(self, text):
            self.lines.append(text)

    reporter = Told()
    run = execute(toy.plan(keep_maps=True), reporter)
    assert run.without_map == set(CASES)
    assert reporter.lines == ["toy (demo), seed 0: the method hands over no maps, so none are kept"]
    toy.forget()
    toy.run(keep_maps=True)
    assert toy.lines == []


def test_a_case_killed_after_its_handing_over_is_not_done(toy, tmp_path):
    run = toy.run(set=HANDS, keep_maps=True)
    run.forget_case("case-4")
    for file in (run.map_file("case-4"), run.alternative("brain", "case-4")):
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(b"left by a killed process")
    run.update({"state": "started"})
    toy.forget()
    toy.run(set=HANDS, keep_maps=True)
    assert toy.lines == ["segment case-4", "handed over case-4"]
    assert nib.load(run.map_file("case-4")).shape == (13, 15, 11)


def test_a_case_that_fails_leaves_nothing_behind(toy, outputs, case):
    volume = case.volume()
    outputs._folder.prediction("case-4").parent.mkdir(parents=True)
    outputs._folder.prediction("case-4").write_bytes(b"of an earlier call")

    def segment():
        with outputs.case(case):
            outputs.keep_map("case-4", volume.image)
            outputs.alternative("case-4", "q0.95", volume.brain)
            raise OSError("late")

    with pytest.raises(OSError, match="late"):
        segment()
    assert [path for path in outputs._folder.path.rglob("*") if path.is_file()] == []


def test_what_came_of_a_case_before_goes_when_it_is_segmented_again(toy, outputs, case):
    with outputs.case(case):
        outputs.alternative("case-4", "old", case.volume().brain)
    with outputs.case(case):
        outputs.alternative("case-4", "new", case.volume().brain)
    assert not outputs._folder.alternative("old", "case-4").exists()
    assert outputs._folder.alternative("new", "case-4").is_file()


@pytest.mark.parametrize("case_id", ["case-4", "../run", "case-5"])
def test_nothing_is_taken_outside_of_the_case(toy, outputs, case, case_id):
    volume = case.volume()
    with pytest.raises(RunError, match="inside `segment`"):
        outputs.keep_map(case_id, volume.image)
    if case_id != "case-4":
        with outputs.case(case), pytest.raises(RunError, match="inside `segment`"):
            outputs.alternative(case_id, "brain", volume.brain)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "../x", "a b", "ä", "x" * 65, "q\n"])
def test_names_that_are_no_folders_are_refused(outputs, case, name):
    with outputs.case(case), pytest.raises(ValueError, match="does not start with"):
        outputs.alternative("case-4", name, case.volume().brain)
    with pytest.raises(ValueError, match="does not start with"):
        outputs._folder.alternative(name, "case-4")
    assert not (outputs._folder.path / "alternatives").exists()


def test_case_ids_are_checked_before_they_are_paths(tmp_path):
    for path in (RunFolder(tmp_path).map_file, lambda case: RunFolder(tmp_path).alternative("q", case)):
        with pytest.raises(DataError, match="cannot be used as a file name"):
            path("../x")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image: image[1:], "shape"),
        (lambda image: np.where(image > 1, np.nan, image), "not finite"),
        (lambda image: image.astype(np.float64) * 1e300, "not finite"),
        (lambda image: image.astype(np.complex64), "complex64"),
        (lambda image: image.tolist(), "not list"),
    ],
)
def test_what_is_no_map_is_refused(outputs, case, spoil, message):
    with outputs.case(case), pytest.raises(ValueError, match=message):
        outputs.keep_map("case-4", spoil(case.volume().image))


def test_a_second_map_or_alternative_of_a_name_is_refused(outputs, case):
    volume = case.volume()
    with outputs.case(case):
        outputs.keep_map("case-4", volume.image)
        outputs.alternative("case-4", "q0.95", volume.brain)
        with pytest.raises(ValueError, match="has a map already"):
            outputs.keep_map("case-4", volume.image)
        with pytest.raises(ValueError, match="has one of this name"):
            outputs.alternative("case-4", "q0.95", volume.brain)
        with pytest.raises(ValueError, match="bool array"):
            outputs.alternative("case-4", "scores", volume.image)


def test_alternatives_of_a_case_have_a_limit(outputs, case):
    with outputs.case(case):
        for number in range(MOST_ALTERNATIVES):
            outputs.alternative("case-4", f"q{number}", case.volume().brain)
        with pytest.raises(RunError, match="no more are kept"):
            outputs.alternative("case-4", "more", case.volume().brain)
