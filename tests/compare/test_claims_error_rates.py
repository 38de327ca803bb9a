"""A small part of the benchmark on false sentences: what it measures in hundreds of comparisons holds in a few."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "claims_error_rates.py"


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's module."""
    spec = importlib.util.spec_from_file_location("claims_error_rates", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def scenario(benchmark, name):
    (found,) = [one for one in (*benchmark.ASKED, *benchmark.FURTHER, *benchmark.POWER) if one.name == name]
    return found


@pytest.mark.parametrize(
    "name",
    ["equal means: +2, -40 in one of 21", "the margin: 0, -40 in one of 20", "equal means: +2, -80 in one of 41"],
)
def test_failures_that_few_cases_hide_make_no_false_sentence(benchmark, name):
    """By the mean's test alone, about half of such comparisons said something false."""
    rate, _ = benchmark.false_rates(scenario(benchmark, name), 15, 8)
    assert rate <= 100 / 8


def test_a_true_lead_is_shown(benchmark):
    """Three points at a standard deviation of six, with as many cases as the paper has."""
    rates = benchmark.true_rates(scenario(benchmark, "true lead of 3, sd 6"), 75, 6)
    assert rates.get("mean", 0.0) + rates.get("median", 0.0) >= 100 * 5 / 6


def test_what_is_false_is_judged_by_who_leads_and_by_what_is_said(benchmark):
    skewed = scenario(benchmark, "equal means: +2, -40 in one of 21")
    say = benchmark.Claim
    assert skewed.is_false(say("", True, "overall-dsc", False, "mean", "a", "b"))
    assert not skewed.is_false(say("", True, "overall-dsc", False, "median", "a", "b"))
    assert skewed.is_false(say("", True, "overall-dsc", False, "median", "b", "a"))
    assert skewed.is_false(say("", True, "groups", True, "median", "b", "c"))
    assert not skewed.is_false(say("", False, "overall-dsc", False))
    assert skewed.is_false(say("", True, "size", True))
    assert not skewed.is_false(say("", True, "friedman", False))
    assert scenario(benchmark, "heavy tails").is_false(say("", True, "friedman", False))
