"""When a sentence about means is withheld, or is one about the median: few cases, cases far from the rest."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.compare.claims_asked import NAMED, about
from unseg_bench.compare.build import compare
from unseg_bench.compare.claims import claims
from unseg_bench.compare.statistics.record import Interval


def test_few_cases_are_spoken_of_by_the_median(few):
    claim = about(claims(compare(few, NAMED)), "overall-dsc", "amcons")
    pattern = (
        r"clisc is better than amcons in 30 of 30 cases, by \d\.\d DSC points \[\d\.\d, \d\.\d\] \(95 %\) in the "
        r"median, Holm p < \.001 \(sign test\); of the median, since under 60 cases may hide rare failures"
    )
    assert re.fullmatch(pattern, claim.text), claim.text
    assert (claim.about, claim.better, claim.worse) == ("median", "clisc", "amcons")
    equal = about(claims(compare(few, NAMED)), "equivalence", "sam")
    assert not equal.supported
    assert "it rests on means, and under 60 cases may hide rare failures" in equal.text


def test_few_cases_are_enough_for_a_mean_that_no_rare_failure_undoes(make_run):
    base = np.random.default_rng(0).beta(9, 3, 30)
    runs = [
        make_run("clisc", base.tolist()),
        make_run("worse", np.clip(base - np.linspace(0.2, 0.4, 30), 0, 1).tolist()),
    ]
    assert about(claims(compare(runs, NAMED)), "overall-dsc").text.startswith("clisc beats worse by ")


def test_cases_far_from_the_rest_are_spoken_of_by_the_median(make_run):
    """Better by 2 points nearly always and 40 points worse in three cases of 75: the means are nearly equal."""
    rng = np.random.default_rng(0)
    base = rng.beta(9, 3, 75)
    ahead = 0.02 + rng.normal(0, 0.005, 75)
    ahead[[3, 30, 60]] = -0.4
    found = claims(compare([make_run("clisc", (base + ahead).tolist()), make_run("other", base.tolist())], NAMED))
    claim = about(found, "overall-dsc")
    assert claim.text.startswith("clisc is better than other in 72 of 75 cases, by 1.9 DSC points ")
    assert claim.text.endswith("of the median, since 3 cases lie far from the rest")


def test_equivalence_is_not_offered_with_cases_far_from_the_rest(make_run):
    rng = np.random.default_rng(0)
    base = rng.beta(9, 3, 75)
    other = base + rng.normal(0, 0.005, 75)
    other[10] -= 0.4
    found = claims(compare([make_run("clisc", base.tolist()), make_run("other", other.tolist())], NAMED))
    claim = about(found, "equivalence")
    assert not claim.supported
    assert "it rests on means, and 1 case lies far from the rest" in claim.text


@pytest.mark.parametrize(
    ("missing", "words"),
    [("common", "the 70 of 75 cases that all have"), ("worst", "75 cases, missing ones (5) taken as the worst")],
)
def test_sentences_say_over_which_cases_they_are(make_run, missing, words):
    rng = np.random.default_rng(0)
    base = rng.beta(9, 3, 75)
    whole = make_run("clisc", base.tolist())
    part = make_run("other", (base - 0.2 + rng.normal(0, 0.01, 75)).tolist())
    part = replace(part, scores=part.scores[5:])
    found = claims(compare([whole, part], replace(NAMED, missing=missing)))
    for family in ("overall-dsc", "overall-hd95"):
        assert words in about(found, family).text, family


def test_an_interval_that_holds_nothing_stops_a_sentence(compared):
    comparison = compare(compared, NAMED)
    family = comparison.statistics.family("overall-dsc")
    wide = Interval(-0.01, 0.2)
    pairs = tuple(replace(pair, bca_interval=wide) if pair.b == "amcons" else pair for pair in family.pairs)
    families = (replace(family, pairs=pairs), *comparison.statistics.families[1:])
    found = claims(replace(comparison, statistics=replace(comparison.statistics, families=families)))
    claim = about(found, "overall-dsc", "amcons")
    assert not claim.supported
    assert "but the BCa interval holds 0" in claim.text


def test_a_sentence_about_means_needs_the_median_on_its_side(compared):
    comparison = compare(compared, NAMED)
    family = comparison.statistics.family("overall-dsc")
    pairs = tuple(replace(pair, rank_biserial=-0.2) if pair.b == "amcons" else pair for pair in family.pairs)
    families = (replace(family, pairs=pairs), *comparison.statistics.families[1:])
    found = claims(replace(comparison, statistics=replace(comparison.statistics, families=families)))
    claim = about(found, "overall-dsc", "amcons")
    assert not claim.supported
    assert "but mean and median point opposite ways" in claim.text
