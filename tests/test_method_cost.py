"""What methods say of their costs is what torch counts: benchmarks/method_cost.py has both."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "method_cost.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("method_cost", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clisc", "salip", "amcons", "gradcamcons", "implicit-field", "sim2real",
    "sam-prompts", "supervised-unet", "supervised-unet (nnunet)", "synthetic", "synthetic (adapted)"])  # fmt: skip
def test_what_a_method_declares_is_what_its_networks_are_counted_to_do(bench, name):
    """SAM's slices are encoded in blocks, 11 % more than those with tumour; all else agrees to 4 %."""
    declared, counted = sum(cost.flop for cost in bench.declared(name)), bench.METHODS[name]().total
    assert declared == pytest.approx(counted, rel=0.12 if name == "sam-prompts" else 0.04)


def test_the_guide_has_the_hours_that_the_methods_declare(bench):
    guide = (FILE.parents[1] / "docs" / "methods.md").read_text()
    for name in bench.METHODS:
        method, _, preset = name.rstrip(")").partition(" (")
        row = next(line for line in guide.splitlines() if line.startswith(f"| `{method}` | `{preset or 'paper'}` |"))
        assert float(row.split("|")[5]) == pytest.approx(bench.hours(name), rel=0.06), name
