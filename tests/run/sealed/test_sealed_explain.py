"""A sealed run explained afterwards: from its own stages, without a change, and never into the sealed cache."""

import json
import shutil
from importlib.metadata import EntryPoint

import pytest

from tests.silent import Silent
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import DataError
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.explain import explain_case
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

INSTALLED = """
import numpy as np
from unseg_bench import Explanation, Method, Step, hookimpl, stage


@stage("height")
def find_height(work, *, training):
    np.save(work.folder / "height.npy", 1.0)


class Tells(Method):
    name = "tells"

    def fit(self, training, validation, context):
        self.height = float(context.run(find_height, training=training).array("height"))

    def segment(self, volume, context):
        return volume.brain & (volume.image > self.height)

    def explain(self, volume, context):
        return Explanation(volume, [Step("mask", mask=self.segment(volume, context))])


@hookimpl
def ubench_methods():
    return [Tells]
"""


@pytest.fixture
def plugins(bench, tmp_path, monkeypatch):
    """A plugin that is installed, as far as Python can tell."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "tells_of_itself.py").write_text(INSTALLED)
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = load_plugins()
    found.load_entry_points([EntryPoint("tells", "tells_of_itself", "unseg_bench")])
    assert found.broken == []
    return found


@pytest.fixture
def run(bench, plugins):
    settings = make_settings(bench.values(methods=["tells"], sealed="required"))
    (plan,) = plan_runs(settings, plugins, bench.folder / "runs")
    return execute(plan, Silent())


def explain(run, plugins, *, recompute=False):
    return explain_case(run, run.record["cases"][0], plugins, Silent(), data=None, recompute=recompute)


def test_stages_are_those_of_the_sealed_run_and_its_mask_is_explained(run, plugins):
    record = run.record
    (step,) = explain(run, plugins).steps
    event = next(line for line in run.events() if line["event"] == "case")
    assert (event["case"], event["voxels"]) == (record["cases"][0], int(step.mask.sum()))
    assert run.record == record
    assert record["seal"]["mode"] == "sealed"
    assert list((cache_dir() / "sandbox").iterdir()) == []


def test_stages_that_are_gone_are_made_again_only_if_asked_and_behind_the_seal(run, plugins):
    stages = cache_dir() / "stages"
    shutil.rmtree(stages)
    with pytest.raises(DataError, match="the result of stage 'height' is no longer in the cache"):
        explain(run, plugins)
    assert explain(run, plugins, recompute=True).steps
    (record,) = stages.rglob("height-*/stage.json")
    assert json.loads(record.read_text())["history"]["mode"] == "sealed"
    assert explain(run, plugins).steps
