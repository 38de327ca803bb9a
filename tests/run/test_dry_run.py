"""A dry run names the stages that a run will ask for, by the digests that it will have, and does nothing."""

import sys
from pathlib import Path

import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.run.dry_run import dry_run_all
from unseg_bench.run.session.seal import kernel_obstacle

METHODS = """
from unseg_bench import Method, MethodOptions, stage

class O(MethodOptions):
    pass

@stage("one")
def one(work, *, cohort):
    (work.folder / "a.txt").write_text("a")

def opens(self, training, context):
    try:
        [volume.image for volume in training]
    except Exception:
        pass
    context.run(one, cohort=training)

def fails(self, training, context):
    context.run(one, cohort=training)
    raise ValueError("as told")

def weights(self, training, context):
    from unseg_bench.blocks.weights import resolve
    assert context.offline
    context.run(one, cohort=training)
    resolve("sam-vit-b", offline=context.offline)

def healthy(self, training, context):
    context.run(one, cohort=context.healthy)

def parts(self, training, context):
    for case_id in training.case_ids:
        context.run(one, cohort=training.part([case_id]))

def tables(self, training, context):
    context.table("seen", [{"a": 1}])
    context.note("seen", {"a": 1})
    context.progress(1, 2)
    context.run(one, cohort=training)

def masks(self, training, context):
    context.predicted_mask("elsewhere", training.case_ids[0])

class NAME(Method):
    name = "NAME"
    Options = O
    def fit(self, training, validation, context):
        NAME(self, training, context)
    def segment(self, volume, context):
        return volume.brain
"""


@pytest.fixture
def try_out(toy, tmp_path):
    """Plan a run without making it, of the toy, or of one of the methods above."""

    def once(name=None, **settings):
        if name is not None:
            source = (
                METHODS.replace("class NAME", "class Own").replace('"NAME"', f'"{name}"').replace("NAME(", f"{name}(")
            )
            path = tmp_path / f"{name}.py"
            path.write_text(source)
            settings["methods"] = [str(path)]
        (found,) = dry_run_all(toy.plans(**settings))
        return found

    return once


def stages(found):
    return [(stage.name, stage.cached) for stage in found.stages]


def logged(folder):
    return [(line["stage"], line["digest"]) for line in folder.events() if line["event"] == "stage"]


def everything(folder: Path):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_before_a_run_all_is_to_do_and_nothing_is_made(toy, try_out):
    before = everything(cache_dir())
    found = try_out()
    assert stages(found) == [("gather", False), ("train", False)]
    assert (found.beyond, found.error) == ("it reads a result that is not there yet", None)
    assert found.to_segment == 3
    assert toy.lines == []
    assert everything(cache_dir()) == before
    assert not (toy.folder / "runs").exists()


def test_after_a_run_on_the_same_data_the_digests_are_the_run_s(toy, try_out):
    folder = toy.run()
    other = try_out(set={"train.rate": 0.2})
    assert stages(other) == [("gather", True), ("train", False)]
    assert (other.stages[0].name, other.stages[0].digest) == logged(folder)[0]
    second = toy.run(set={"train.rate": 0.2})
    assert [(stage.name, stage.digest) for stage in other.stages] == logged(second)
    seeded = try_out(seeds=[1])
    assert stages(seeded) == [("gather", True), ("train", False)]


def test_all_there_but_the_run(toy, try_out):
    toy.run()
    found = try_out(set={"shift": 0.5})
    assert stages(found) == [("gather", True), ("train", True)]
    assert (found.beyond, found.error) == (None, None)


def test_a_finished_run_asks_for_nothing(toy, try_out):
    toy.run()
    found = try_out()
    assert (found.stages, found.to_segment) == ((), 0)


def test_other_data_are_other_images(toy, try_out):
    toy.run()
    assert stages(try_out(dataset_options={"cases": 8})) == [("gather", False), ("train", False)]


def test_deterministic_runs_have_results_of_their_own(toy, try_out):
    toy.run()
    assert stages(try_out(deterministic=True)) == [("gather", False), ("train", False)]


def test_labels_are_not_read(try_out):
    found = try_out(set={"read_masks": True})
    assert (stages(found), found.beyond) == ([], "it reads labels (curiosity)")


def test_images_are_not_opened_whatever_the_method_catches(try_out):
    found = try_out("opens")
    assert (stages(found), found.beyond) == ([("one", False)], "it opens images before a stage")


def test_notes_and_tables_go_nowhere(toy, try_out):
    assert stages(try_out("tables")) == [("one", False)]
    assert not (toy.folder / "runs").exists()


def test_masks_of_other_runs_are_not_read(try_out):
    assert try_out("masks").beyond == "it reads masks of elsewhere"


def test_an_error_counts_only_where_every_stage_is_there(toy, try_out):
    found = try_out("fails")
    assert (found.beyond, found.error) == ("it reads a result that is not there yet", None)
    with pytest.raises(Exception, match="as told"):
        toy.run(methods=[str(toy.folder / "fails.py")])
    found = try_out("fails")
    assert (stages(found), found.beyond, found.error) == ([("one", True)], None, "ValueError: as told")


def test_weights_are_not_fetched(toy, try_out):
    assert stages(try_out("weights")) == [("one", False)]
    with pytest.raises(Exception, match="are not here"):
        toy.run(methods=[str(toy.folder / "weights.py")], offline=True)
    assert try_out("weights").beyond.startswith("it needs the weights sam-vit-b, which are not here yet")


@pytest.mark.skipif(kernel_obstacle() is not None, reason="nothing can be sealed here")
def test_what_runs_sealed_is_tried_sealed(toy, try_out):
    """One process for all plans of a method; its digests are those of the sealed run."""
    sealed = {"sealed": "required", "seeds": [0, 1]}
    source = METHODS.replace("class NAME", "class Own").replace('"NAME"', '"seal"').replace("NAME(", "fails(")
    path = toy.folder / "seal.py"
    path.write_text(source.replace('raise ValueError("as told")', "return"))
    plans = toy.plans(methods=[str(path)], **sealed)
    assert plans[0].loaded is None
    found = dry_run_all(plans)
    assert [stages(one) for one in found] == [[("one", False)]] * 2
    assert [(one.beyond, one.error) for one in found] == [(None, None)] * 2
    assert not any(name.startswith("ubench_file_seal_") for name in sys.modules), "its code ran in its process only"
    folder = toy.run(methods=[str(path)], sealed="required")
    again = dry_run_all(plans)
    assert again[0].stages == ()
    assert stages(again[1]) == [("one", False)], "stages with a seed are made for each"
    (named,) = dry_run_all(toy.plans(methods=[str(path)], sealed="required", limit=1))
    assert [(stage.name, stage.digest, stage.cached) for stage in named.stages] == [(*logged(folder)[0], True)]


@pytest.mark.skipif(kernel_obstacle() is not None, reason="nothing can be sealed here")
@pytest.mark.parametrize(
    ("name", "beyond"),
    [
        ("opens", "it opens images before a stage"),
        ("fails", "it reads a result that is not there yet"),
        ("weights", "it needs the weights sam-vit-b, which are not here yet or are a file of yours"),
        ("healthy", None),
        ("tables", None),
        ("masks", "it reads masks of elsewhere"),
    ],
)
def test_a_sealed_dry_run_hands_nothing_over(try_out, name, beyond):
    found = try_out(name, sealed="required")
    assert (found.beyond, found.error) == (beyond, None)
    assert [name for name, _ in stages(found)] == ([] if name == "masks" else ["one"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "sealed",
    [
        "off",
        pytest.param(
            "required",
            marks=pytest.mark.skipif(kernel_obstacle() is not None, reason="nothing can be sealed here"),
        ),
    ],
)
def test_parts_of_a_cohort_are_known_by_the_digests_that_the_run_gave_them(toy, try_out, tmp_path, sealed):
    assert [cached for _, cached in stages(try_out("parts", sealed=sealed))] == [False, False, False]
    folder = toy.run(methods=[str(tmp_path / "parts.py")], sealed=sealed)
    found = try_out("parts", sealed=sealed, limit=1)
    assert [(stage.name, stage.digest) for stage in found.stages] == logged(folder)
    assert all(stage.cached for stage in found.stages)
