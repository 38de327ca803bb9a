"""What a comparison may be quoted for, and what it refuses."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.compare.claims_asked import CHOSEN, NAMED, about
from unseg_bench.compare.build import compare
from unseg_bench.compare.claims import claims
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.compare.verdicts import CLAIM_LEVELS
from unseg_bench.compare.wording import say_p


def test_a_shown_lead_is_said_with_interval_p_and_bootstraps(compared, said):
    claim = about(said, "overall-dsc", "amcons")
    pattern = (
        r"clisc beats amcons by (\d\.\d) DSC points \[(\d\.\d), (\d\.\d)\] \(BCa 95 %\) in the mean over 75 cases, "
        r"Holm p = \.00[23] \(sign-flip\), first in (\d+) % of bootstraps"
    )
    numbers = re.fullmatch(pattern, claim.text)
    assert numbers is not None, claim.text
    statistics = compare(compared, NAMED).statistics
    pair = statistics.family("overall-dsc").pairs[0]
    expected = [pair.mean_difference, pair.bca_interval.low, pair.bca_interval.high]
    assert [float(numbers[i]) for i in (1, 2, 3)] == pytest.approx([100 * x for x in expected], abs=0.051)
    assert pair.sign_flip.p == 1 / 2000
    assert pair.sign_flip.p_adjusted == pytest.approx(5 / 2000)
    assert int(numbers[4]) == round(100 * statistics.rankings[0].first["clisc"])
    assert (claim.supported, claim.exploratory) == (True, False)


def test_hd95_is_said_in_mm_and_a_shorter_one_is_better(said):
    claim = about(said, "overall-hd95", "amcons")
    assert re.match(
        r"clisc beats amcons on HD95 by 3\.\d mm \[3\.\d, [34]\.\d\] \(BCa 95 %\) in the mean over 75", claim.text
    )
    assert claim.supported


def test_a_lead_within_the_noise_is_refused(said):
    claim = about(said, "overall-dsc", "salip")
    pattern = (
        r"clisc better than salip: not shown \(by \d\.\d DSC points \[-.* over 75 cases, Holm p = \.\d+ \(sign-flip\)\)"
    )
    assert re.fullmatch(pattern, claim.text), claim.text
    assert not claim.supported


def test_a_lead_that_is_refused_is_that_of_whoever_has_it(compared):
    settings = CompareSettings(statistics=StatisticsSettings(reference="salip", resamples=1_999, bootstraps=200))
    turned = about(claims(compare(compared, settings)), "overall-dsc", "clisc")
    assert re.match(r"clisc better than salip: not shown \(by \d\.\d DSC points \[-", turned.text)


def test_equivalence_needs_its_own_test(said):
    assert about(said, "equivalence", "sam").text == (
        "clisc and sam are equivalent within 2 DSC points in the mean (TOST, Holm p < .001, over 75 cases); single "
        "cases may differ by more, and failures in fewer than 1 of 25 cases may not have been seen"
    )
    refused = about(said, "equivalence", "salip")
    assert not refused.supported
    assert re.fullmatch(
        r"clisc and salip equivalent within 2 DSC points: not shown \(TOST, Holm p [=>] \.\d+, over 75 cases\)",
        refused.text,
    )
    assert not [claim for claim in said if claim.family == "equivalence" and "amcons" in claim.text]


def test_a_rival_that_wins_is_said_to_win(compared):
    settings = replace(NAMED, statistics=replace(NAMED.statistics, reference="amcons"))
    found = claims(compare(compared, settings))
    claim = about(found, "overall-dsc", "clisc")
    assert re.match(r"clisc beats amcons by [56]\.\d DSC points \[5\.\d, 6\.\d\]", claim.text)
    assert re.match(r"clisc beats amcons on HD95 by 3\.\d mm", about(found, "overall-hd95", "clisc").text)


def test_the_correction_is_named(compared):
    settings = replace(NAMED, statistics=replace(NAMED.statistics, correction="fdr_by"))
    assert (
        "Benjamini-Yekutieli p = .002 (sign-flip)"
        in about(claims(compare(compared, settings)), "overall-dsc", "amcons").text
    )


def test_a_reference_that_the_data_chose_makes_claims_exploratory(compared):
    found = claims(compare(compared, CHOSEN))
    for family in ("overall-dsc", "overall-hd95", "equivalence"):
        own = [claim for claim in found if claim.family == family]
        assert own
        assert all(
            claim.exploratory and claim.text.endswith("(exploratory: these data chose the reference)") for claim in own
        )


def test_a_claim_about_size_needs_the_interaction(make_run):
    rng = np.random.default_rng(2)
    base, noise = rng.beta(9, 3, 60), rng.normal(0, 0.02, (2, 60))
    doublings = np.log2(1.5 * np.arange(1, 61))
    runs = [
        make_run("clisc", base.tolist()),
        make_run("steep", (base - 0.30 + 0.05 * doublings + noise[0]).tolist()),
        make_run("flat", (base - 0.06 + noise[1]).tolist()),
    ]
    found = claims(compare(runs, NAMED))
    steep, flat = about(found, "size", "steep"), about(found, "size", "flat")
    pattern = (
        r"clisc gains on steep as tumours shrink: [45]\.\d DSC points with each halving of the volume \[4\.\d, 5\.\d\] "
    )
    assert re.match(
        pattern + r"\(t 95 %\) over 60 cases, Holm p < \.001 \(interaction\) \(exploratory\)$", steep.text
    ), steep.text
    assert re.match(
        r"clisc better than flat on \w+ tumours in particular: not shown over 60 cases, the interaction has Holm p = ",
        flat.text,
    )
    assert (steep.supported, flat.supported, flat.exploratory) == (True, False, True)
    tiny = [about(found, "groups", "in group Tiny", label) for label in ("steep", "flat")]
    assert [claim.supported for claim in tiny] == [True, True]
    assert ["that this depends on size is not shown" in claim.text for claim in tiny] == [False, True]
    turned = claims(compare(runs, replace(NAMED, statistics=replace(NAMED.statistics, reference="steep"))))
    assert "steep gains on clisc as tumours grow" in about(turned, "size", "clisc").text
    assert "each doubling of the volume" in about(turned, "size", "clisc").text


def test_the_cases_needed_are_named_where_more_are_needed(compared, said):
    interaction = compare(compared, NAMED).statistics.interactions[0]
    assert interaction.cases_needed > interaction.n
    text = about(said, "size", "amcons").text
    assert f"about {interaction.cases_needed:,} cases would be needed" in text


def test_groups_too_small_for_any_claim_are_said_so(few):
    claim = about(claims(compare(few, NAMED)), "groups")
    assert claim.text == (
        "clisc better or worse than another method in a group: not shown for 25 of 25 pairs of group and method; none "
        "could be: with n = 6 the smallest p is .031 before correction over 25 tests (exploratory)"
    )
    assert not claim.supported


def test_a_carried_group_stands_beside_no_word_that_none_could_be(said):
    shown, (rest,) = (
        [claim for claim in said if claim.family == "groups" and claim.supported is carried]
        for carried in (True, False)
    )
    assert shown
    assert all("corrected over 25 tests" in claim.text for claim in shown)
    assert all(re.search(r"in 1\d of 15 cases, by |in the mean over 15 cases, ", claim.text) for claim in shown)
    assert f"not shown for {25 - len(shown)} of 25 pairs" in rest.text
    assert "none could be" not in rest.text


def test_tests_are_the_pairs_that_have_a_p(few):
    twin = replace(few[0], label="twin", method="twin")
    found = claims(compare([*few, twin], NAMED))
    text = about(found, "groups").text
    assert "not shown for 25 of 25 pairs of group and method with a p; 5 have none; none could be" in text
    assert "over 25 tests" in text


def test_no_p_is_said_in_words(make_run):
    scores = [0.5, 0.6, 0.7, 0.4]
    found = claims(compare([make_run("clisc", scores), make_run("twin", scores)], NAMED))
    assert about(found, "overall-dsc").text == "clisc better than twin: not shown (equal in every case, over 4 cases)"
    assert (
        about(found, "overall-hd95").text
        == "clisc better than twin on HD95: not shown (equal in every case, over 4 cases)"
    )
    assert about(found, "equivalence").text == (
        "clisc and twin equivalent within 2 DSC points: not shown (equal in every case, over 4 cases; it rests on "
        "means, and under 60 cases may hide rare failures)"
    )
    assert about(found, "size").text == (
        "clisc better than twin on small or on large tumours in particular: not shown (equal in every case, over "
        "4 cases) "
        "(exploratory)"
    )
    assert {claim.text for claim in found if claim.family == "friedman"} == {
        "ranks differ on DSC: not shown (fewer than three methods, n = 4)",
        "ranks differ on HD95: not shown (fewer than three methods, n = 4)",
    }
    assert not any(claim.supported for claim in found)


def test_a_rival_without_a_common_case_is_not_passed_over(compared):
    comparison = compare(compared, NAMED)
    family = comparison.statistics.families[0]
    without = replace(family, pairs=tuple(pair for pair in family.pairs if pair.b != "sam"))
    statistics = replace(comparison.statistics, families=(without, *comparison.statistics.families[1:]))
    found = claims(replace(comparison, statistics=statistics))
    assert about(found, "overall-dsc", "than sam").text == "clisc better than sam: not shown (no case in common)"


def test_a_missing_interval_has_its_reason(make_run):
    base = np.random.default_rng(0).beta(9, 3, 75)
    runs = [make_run("clisc", base.tolist()), make_run("other", (base - 0.3).tolist())]
    text = about(claims(compare(runs, NAMED)), "overall-dsc").text
    assert "clisc beats other by 30.0 DSC points [no interval: the same in every case]" in text


def test_ranks(said):
    assert about(said, "friedman", "on DSC").text == (
        "the methods' ranks differ on DSC (Friedman p < .001, 6 methods, n = 75); which of them differ, only the pairs "
        "can say"
    )


def test_the_floor_and_who_is_below(said):
    (claim,) = [claim for claim in said if claim.family == "floor"]
    pattern = (
        r"lost is below the floor threshold: mean DSC \d+\.\d %, not \d+\.\d %; threshold better .* Holm p = \.00\d .*"
    )
    assert re.fullmatch(pattern, claim.text), claim.text
    assert claim.supported


def test_a_method_that_no_test_sets_below_the_floor_is_not_said_to_be(make_run):
    """Neither within the noise, nor without statistics; and the two means never print alike."""
    rng = np.random.default_rng(1)
    floor = rng.beta(9, 3, 75)
    ours = floor + rng.normal(0, 0.05, 75)
    ours += floor.mean() - ours.mean() - 0.0003
    runs = [make_run("best", (floor + 0.1).tolist()), make_run("mine", ours.tolist())]
    runs.append(make_run("threshold", floor.tolist(), is_floor=True))
    tested = about(
        claims(compare(runs, replace(NAMED, statistics=replace(NAMED.statistics, reference="best")))), "floor"
    )
    means = re.match(r"mine is below the floor threshold: not shown \(mean DSC (\S+) %, not (\S+) %; ", tested.text)
    assert means is not None, tested.text
    assert float(means[1]) < float(means[2])
    untested = about(claims(compare(runs)), "floor")
    assert untested.text.endswith("over 75 cases; no test)")
    assert (tested.supported, untested.supported) == (False, False)


def test_a_floor_that_is_the_reference_is_tested_once(compared):
    comparison = compare(compared, replace(NAMED, statistics=replace(NAMED.statistics, reference="threshold")))
    assert [family.key for family in comparison.statistics.families] == ["overall-dsc", "overall-hd95", "groups"]
    assert about(claims(comparison), "floor").supported


def test_the_levels_of_all_families_are_five_percent_together():
    assert sum(CLAIM_LEVELS.values()) == pytest.approx(0.05)


def test_seeds(make_run):
    runs = [make_run("clisc", [0.5 + 0.1 * seed] * 6, seed=seed) for seed in range(3)]
    runs += [make_run("other", [0.4, 0.5] * 3), make_run("floor", [0.1, 0.2] * 3, is_floor=True)]
    found = {claim.text for claim in claims(compare(runs, NAMED)) if claim.family == "seeds"}
    assert found == {
        "3 seeds of clisc differ by 10.0 DSC points (sd of their means over 6 cases)",
        "what another seed would give over 6 cases: not shown for other (one seed)",
    }


def test_the_policy_on_empty_masks_is_said_with_hd95(compared):
    found = claims(compare(compared, replace(NAMED, empty="exclude")))
    assert "empty masks: exclude" in about(found, "overall-hd95", "amcons").text
    assert "empty masks" not in about(found, "overall-dsc", "amcons").text


def test_a_phantom_is_no_evidence_before_every_other_sentence(compared):
    found = claims(compare([replace(run, evidence=False) for run in compared], NAMED))
    assert found[0].family == "evidence"
    assert "nothing below is evidence" in found[0].text
    assert [claim.family for claim in found].count("evidence") == 1
    assert found[1:] == claims(compare(compared, NAMED))


def test_without_statistics_only_the_floor_is_known(compared):
    assert [claim.family for claim in claims(compare(compared))] == ["floor"]
    assert claims(compare(compared[:2])) == ()


@pytest.mark.parametrize(
    ("p", "said_so"),
    [
        *((0.0, "< .001"), (0.00099, "< .001"), (0.001, "= .001"), (0.0042, "= .004"), (0.0494, "= .049")),
        *((0.0996, "= .10"), (0.21, "= .21"), (0.99, "= .99"), (0.995, "> .99"), (1.0, "> .99")),
    ],
)
def test_p_is_never_nothing_or_certain(p, said_so):
    assert say_p(p) == said_so


def test_saying_loads_nothing_heavy():
    code = (
        "import sys, unseg_bench.compare.claims, unseg_bench.compare.statistics.record;"
        "print(sorted({'numpy', 'scipy', 'statsmodels', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
