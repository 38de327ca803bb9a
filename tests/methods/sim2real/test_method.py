"""Sim2Real as a method: the contract, presets, what it reads of whom, both stages' answers, and phantoms."""

import json
import shutil

import numpy as np
import pytest
from pydantic import ValidationError
from unseg_bench_methods.sim2real import Sim2Real, phantom_pairs
from unseg_bench_methods.sim2real.options import Sim2RealOptions
from unseg_bench_methods.sim2real.phantom_pairs import PairOptions, make_pairs, require_phantoms
from unseg_bench_methods.sim2real.samples import Pairs, source_of

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.context import Artifact
from unseg_bench.plugins.presets import assign, preset_options
from unseg_bench.plugins.stage import Work
from unseg_bench.plugins.trial import TrialContext, TrialLabels, tiny_case, tiny_cohort

TRAIN = [tiny_case(f"train-{number}", number) for number in range(3)]
VALID = [tiny_case("valid", 10)]
HEALTHY = [tiny_case(f"healthy-{number}", 20 + number, tumour=False) for number in range(3)]
TEST = tiny_case("test", 30)


def options_of(**changes):
    values = json.loads(preset_options(Sim2Real, "check").model_dump_json())
    for dotted, value in changes.items():
        assign(values, dotted.replace("__", "."), value)
    return Sim2RealOptions.model_validate(values)


class Context(TrialContext):
    """Keeps what is handed over."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.maps, self.alternatives, self.tables = {}, {}, {}

    def keep_map(self, volume, scores):
        self.maps[volume.case_id] = scores

    def alternative(self, volume, name, mask):
        self.alternatives[name] = mask

    def table(self, name, rows):
        super().table(name, rows)
        self.tables[name] = rows


def fitted(folder, options=None, train=None, valid=None):
    method = Sim2Real(options or options_of())
    labels = TrialLabels(method.supervision, {"train": TRAIN, "valid": VALID, "test": [TEST]})
    context = Context(folder, labels, tiny_cohort("healthy", HEALTHY), seed=3)
    method.fit(train or tiny_cohort("train", TRAIN), valid or tiny_cohort("valid", VALID), context)
    return method, context


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the stages of a whole run, that run's method and context."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, *fitted(folder)


@pytest.fixture
def warm(finished, tmp_path):
    """A folder of the test's own that has these stages."""
    return shutil.copytree(finished[0], tmp_path / "stages")


def stages(context):
    return [name.rpartition("-")[0] for name in context.finished]


@pytest.mark.slow
def test_keeps_the_contract():
    assert [result for result in check_method(Sim2Real) if not result.passed] == []


def test_presets():
    paper, code = (preset_options(Sim2Real, name) for name in ("paper", "reference-code"))
    assert paper == Sim2RealOptions()
    assert (paper.grid.size, paper.network.base, paper.network.kind) == ((128, 128, 128), 32, "unet3d")
    assert (paper.training.scale, paper.training.keep, paper.normals.source) == ("shared", "last", "clip")
    assert (code.training.scale, code.training.learning_rate, code.network.norm) == ("separate", 1e-2, "batch")
    assert (code.training.keep, code.answer.output, code.adaptation.rounds) == (
        "best-recomposition",
        "tumour-layer",
        0,
    )
    assert code.simulation.whole_numbers
    assert preset_options(Sim2Real, "demo").normals.source == "healthy"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Supervision.NONE),
        ({"training__keep": "best-recomposition"}, Supervision.NONE),
        ({"training__keep": "best-validation-dice"}, Supervision.VALIDATION_MASKS),
        ({"normals__source": "slice-labels"}, Supervision.SLICE_LABELS),
        ({"normals__source": "slice-labels", "simulation__simulator": "phantom"}, Supervision.NONE),
    ],
)
def test_what_is_declared_follows_the_options(changes, expected):
    assert Sim2Real(options_of(**changes)).supervision is expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid__size": (16, 20, 16)}, "multiples of 8"),
        ({"network__kind": "half-grid"}, "multiples of 16"),
        ({"answer__output": "tumour-layer"}, "needs training.scale"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        options_of(**changes)


def test_both_stages_answer_and_no_label_is_read(finished):
    _, method, context = finished
    mask = method.segment(TEST.volume, context)
    assert stages(context).count("sim2real-stage-1") == stages(context).count("sim2real-stage-2") == 1
    assert mask.shape == TEST.volume.shape
    assert not (mask & ~TEST.volume.brain).any()
    assert list(context.alternatives) == ["stage-1"]
    assert not np.array_equal(context.alternatives["stage-1"], mask)
    assert np.array_equal((context.maps["test"] > 0.5) & TEST.volume.brain, mask)
    assert context.labels.read == context.labels.refused == []
    rows = context.tables["verification"]
    assert [row["case"] for row in rows] == [f"train-{number}" for number in range(3)]
    assert sum(row["kept"] for row in rows) == 2


@pytest.mark.slow
def test_stage_one_alone_is_a_run_without_rounds(tmp_path):
    method, context = fitted(tmp_path, options_of(adaptation__rounds=0))
    assert "sim2real-stage-2" not in stages(context)
    mask = method.segment(TEST.volume, context)
    assert context.alternatives == {}
    _, both = fitted(tmp_path)
    assert stages(both) == ["sim2real-stage-2"]
    again, context = fitted(tmp_path)
    again.segment(TEST.volume, context)
    assert np.array_equal(context.alternatives["stage-1"], mask)


def test_a_further_round_costs_that_round_and_draws_simulations_of_its_own(warm):
    _, context = fitted(warm, options_of(adaptation__rounds=2, adaptation__stop=0.0))
    assert stages(context) == ["sim2real-pseudo-labels", "sim2real-stage-2"]
    assert context.tables["verification"][-1]["change"] > 0


def test_rounds_end_where_predictions_stand_still(warm):
    _, context = fitted(warm, options_of(adaptation__rounds=3, adaptation__stop=0.999))
    assert "sim2real-stage-2" not in stages(context)
    assert context.tables["verification"][-1]["round"] == 2


def test_donors_and_pseudo_labels_come_from_the_training_part_alone(tmp_path):
    """Nobody looks at a validation image, and the stretched donors are the training cases and no other."""

    def refuse(case_id):
        raise AssertionError(f"{case_id} was looked at")

    valid = Cohort("valid", [("valid", "digest")], refuse)
    _, context = fitted(tmp_path, valid=valid)
    cohorts = [
        sorted(json.loads((folder / "brains.json").read_text()))
        for folder in tmp_path.glob("stages/sim2real-volumes-*")
        if (folder / "brains.json").exists()
    ]
    known = {case.volume.case_id for case in [*TRAIN, *HEALTHY]}
    assert [f"train-{number}" for number in range(3)] in cohorts
    assert set().union(*cohorts) == known
    assert context.labels.read == []


def test_unlabelled_validation_images_choose_the_weights_where_asked(tmp_path):
    options = options_of(training__keep="best-recomposition", training__validate_every=20, adaptation__rounds=0)
    _, context = fitted(tmp_path, options)
    assert context.labels.read == []
    (facts,) = tmp_path.glob("stages/sim2real-stage-1-*/training.json")
    scores = json.loads(facts.read_text())["scores"]
    assert [step for step, _ in scores] == [20, 40, 60]
    assert all(score < 0 for _, score in scores)
    none = tiny_cohort("valid", [])
    with pytest.raises(RunError, match=r"training\.keep=best-recomposition.*no validation case"):
        Sim2Real(options).fit(tiny_cohort("train", TRAIN), none, context)


def test_masks_choose_the_weights_where_asked_and_the_ledger_says_so(tmp_path):
    options = options_of(training__keep="best-validation-dice", training__validate_every=20, adaptation__rounds=0)
    _, context = fitted(tmp_path, options)
    assert set(context.labels.read) == {"mask of valid (choose stage I's weights by Dice)"}
    (facts,) = tmp_path.glob("stages/sim2real-stage-1-*/training.json")
    assert all(0 <= score <= 1 for _, score in json.loads(facts.read_text())["scores"])


def test_the_reference_codes_ways_run(tmp_path):
    options = options_of(
        training__scale="separate",
        training__keep="best-recomposition",
        training__validate_every=60,
        network__norm="batch",
        answer__output="tumour-layer",
        simulation__whole_numbers=True,
        adaptation__rounds=0,
    )
    method, context = fitted(tmp_path, options)
    mask = method.segment(TEST.volume, context)
    assert list(context.alternatives) == ["mask"]
    assert not np.array_equal(mask, context.alternatives["mask"])


def test_a_network_that_finds_nothing_of_its_own_task_ends_stage_one(tmp_path):
    options = options_of(training__steps=1, training__learning_rate=1e-6, network__prior=1e-6)
    with pytest.raises(RunError, match="stage 'sim2real-stage-1': after 1 steps the network finds none of 8"):
        fitted(tmp_path, options)


def test_explanation_shows_every_stage(finished):
    _, method, context = finished
    shown = method.explain(TEST.volume, context)
    titles = [step.title for step in shown.steps]
    assert titles[0] == "input"
    for stage in ("stage I", "stage II, round 1"):
        assert [f"{stage}: {part}" for part in ("restored normal", "tumour layer", "residual", "answer")] == [
            title for title in titles if title.startswith(f"{stage}:")
        ]
    for step in shown.steps:
        if step.heat is not None:
            assert step.heat.shape == TEST.volume.shape
            assert 0 <= step.heat.min() <= step.heat.max() <= 1
    assert np.array_equal(shown.steps[-1].mask, method.segment(TEST.volume, context))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    work = Work(folder, folder, 5, "cpu", lambda *_: None)
    make_pairs.function(work, PairOptions(count=2, spacing_mm=4.0, size=(24, 24, 24)))
    return Artifact("pairs", folder, "digest")


def test_phantom_pairs_are_samples_that_add_up_inside_the_tumour_and_hardly_differ_outside(pairs):
    options = Sim2RealOptions().simulation
    learned, held_out = (source_of(options, {"pairs": pairs}, held_out=held_out) for held_out in (False, True))
    assert isinstance(learned, Pairs)
    assert (list(learned.numbers), list(held_out.numbers)) == ([0], [1])
    sample = learned.draw(np.random.default_rng(0))
    assert sample.mask.any()
    assert not (sample.mask & ~sample.brain).any()
    assert np.array_equal(sample.mixed[sample.mask], sample.tumour[sample.mask])
    differs = np.abs(sample.mixed - sample.normal)
    assert differs[sample.mask].mean() > 5 * differs[sample.brain & ~sample.mask].mean()


@pytest.mark.slow
def test_a_network_learns_from_phantoms_without_any_normal_case(tmp_path):
    options = options_of(
        simulation__simulator="phantom", simulation__phantoms=4, simulation__phantom_spacing_mm=4.0,
        adaptation__rounds=0, training__steps=100,
    )  # fmt: skip
    _, context = fitted(tmp_path, options)
    assert "normal-slices" not in stages(context)
    assert "sim2real-phantom-pairs" in stages(context)


def test_a_generator_that_cannot_be_read_is_one_clear_error(monkeypatch):
    require_phantoms()

    def refuse(name):
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(phantom_pairs, "import_module", refuse)
    with pytest.raises(RunError, match=r"simulation\.simulator=phantom: the phantoms' generator cannot be read here"):
        require_phantoms()
