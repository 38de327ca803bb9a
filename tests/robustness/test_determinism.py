"""The same run twice gives the same bits; what would not is named; chance has one source."""

import ast
from pathlib import Path

import pytest
import torch

from tests.robustness.conftest import Result, Ubench
from unseg_bench.plugins.determinism import deterministic, explain_failure, is_deterministic

ROOT = Path(__file__).resolve().parents[2]
PUT = "torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))"
LEARNER = """
import numpy as np
import torch
from unseg_bench import Method, MethodOptions, stage


@stage("learn")
def learn(work, options, *, cohort):
    WHERE_1
    torch.manual_seed(work.seed)
    weights = torch.nn.Linear(3, 1)
    level = float(np.mean([np.quantile(one.image, 0.97) for one in cohort])) + 0.1 * float(weights.bias.detach())
    np.save(work.folder / "level.npy", level)


class Learner(Method):
    name = "learner"

    def fit(self, training, validation, context):
        self.level = float(context.run(learn, self.options, cohort=training).array("level"))

    def segment(self, volume, context):
        WHERE_2
        return volume.brain & (volume.image > self.level)
"""


def learner(folder: Path, *, where: str = "") -> Path:
    """Write a method that draws its start with torch; at `where` it uses what torch cannot do the same way twice."""
    source = LEARNER.replace(where, PUT) if where else LEARNER
    path = folder / "learner.py"
    path.write_text(source.replace("WHERE_1", "pass").replace("WHERE_2", "pass"), encoding="utf-8")
    return path


def masks(result: Result) -> dict[str, bytes]:
    assert result.code == 0, result.err
    folder = Path(result.json["runs"][0]["run"])
    return {path.name: path.read_bytes() for path in folder.glob("predictions/*")}


@pytest.mark.slow
def test_twice_the_same_bits_and_another_seed_other_ones(
    ubench: Ubench, tmp_path: Path, data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    method = learner(tmp_path)
    here = ("--sealed", "off", "--json")
    first = masks(ubench("run", method, *data, *here))
    monkeypatch.setenv("UBENCH_CACHE", str(tmp_path / "another"))
    assert masks(ubench("run", method, *data, *here, "--runs", "again")) == first
    assert masks(ubench("run", method, *data, "--json", "--deterministic")) == first
    assert len(list(Path().glob("runs/folder/learner-*"))) == 2
    assert masks(ubench("run", method, *data, *here, "--seed", 1)) != first


@pytest.mark.slow
def test_an_operation_that_cannot_is_named_with_its_stage(ubench: Ubench, tmp_path: Path, data: list[str]) -> None:
    method = learner(tmp_path, where="WHERE_1")
    refused = ubench("run", method, *data, "--deterministic")
    assert refused.code == 1
    assert "stage 'learn' failed: put_ has no deterministic implementation on this device" in refused.err
    assert "--device cpu" in refused.err


@pytest.mark.slow
def test_in_segment_it_is_the_case_s_reason(ubench: Ubench, tmp_path: Path, data: list[str]) -> None:
    refused = ubench("run", learner(tmp_path, where="WHERE_2"), *data, "--deterministic", "--sealed", "off")
    assert refused.code == 1
    assert "put_ has no deterministic implementation" in refused.err


def test_the_switch_is_as_it_was_afterwards() -> None:
    for asked in (False, True):
        with deterministic(asked):
            assert is_deterministic() is torch.are_deterministic_algorithms_enabled() is asked
        assert is_deterministic() is torch.are_deterministic_algorithms_enabled() is False


def test_other_failures_are_told_as_they_are() -> None:
    assert explain_failure("ValueError", ValueError("no luck")) == "ValueError: no luck"
    said = "Deterministic behavior was enabled with `torch.use_deterministic_algorithms(True)`, but this operation ..."
    assert explain_failure("RuntimeError", RuntimeError(said)).startswith("an operation of cuBLAS has no deterministic")


@pytest.mark.slow
def test_the_order_of_a_split_s_lines_changes_nothing(ubench: Ubench, tmp_path: Path, cohort: Path) -> None:
    options = ["--data", cohort, "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"]
    cases = sorted(path.name for path in cohort.iterdir())
    found = []
    for order in (cases, cases[::-1]):
        split = tmp_path / "lists"
        split.mkdir(exist_ok=True)
        (split / "train.txt").write_text("\n".join(case for case in order if case < "case-3"))
        (split / "test.txt").write_text("\n".join(case for case in order if case >= "case-3"))
        found.append(ubench("run", learner(tmp_path), *options, "--split", split, "--sealed", "off", "--json"))
    assert found[0].json["runs"] == found[1].json["runs"]
    assert "complete already" in found[1].err


SOURCES = {"default_rng", "manual_seed", "Random", "SeedSequence"}


def draws_unseeded(call: ast.Call) -> bool:
    """Whether a call makes a generator without a seed or with a fixed one, or draws from a global generator."""
    name = ast.unparse(call.func)
    if name.rpartition(".")[2] in SOURCES:
        return not call.args or isinstance(call.args[0], ast.Constant)
    return "(" not in name and name.startswith(("np.random.", "numpy.random.", "random."))


@pytest.mark.parametrize("package", ["unseg_bench", "methods", "datasets"])
def test_chance_is_always_drawn_from_a_seed_that_was_given(package: str) -> None:
    """`plugins.stage.Call` makes every stage's seed of the run's; nothing draws from the clock."""
    unseeded = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and draws_unseeded(node)
    ]
    assert unseeded == []
