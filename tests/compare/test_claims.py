"""What a comparison may be quoted for, and what it refuses."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from unseg_bench.compare.claims import claims, say_p
from unseg_bench.compare.compare import compare
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings

NAMED = CompareSettings(statistics=StatisticsSettings(reference="clisc", resamples=999, bootstraps=200))
CHOSEN = CompareSettings(statistics=StatisticsSettings(resamples=999, bootstraps=200))


@pytest.fixture(scope="module")
def compared(make_run):
    """clisc beats amcons clearly, all but equals sam, is a little ahead of salip on a noise; floor is far below."""
    rng = np.random.default_rng(0)
    base = rng.beta(9, 3, 30)

    def run(label, dsc, **more):
        dsc = np.clip(dsc, 0.0, 1.0)
        return make_run(label, dsc.tolist(), (60.0 * (1.0 - dsc)).tolist(), **more)

    return [
        run("clisc", base),
        run("amcons", base - 0.06 + rng.normal(0, 0.02, 30)),
        run("sam", base + rng.normal(0, 0.004, 30)),
        run("salip", base - 0.01 + rng.normal(0, 0.08, 30)),
        run("threshold", base - 0.3, is_floor=True),
        run("lost", base - 0.5),
    ]


@pytest.fixture(scope="module")
def said(compared):
    return claims(compare(compared, NAMED))


def about(found, family, *words):
    """The one claim of a family whose text has all the words."""
    (claim,) = [claim for claim in found if claim.family == family and all(word in claim.text for word in words)]
    return claim


def test_a_shown_lead_is_said_with_interval_p_and_bootstraps(compared, said):
    claim = about(said, "overall-dsc", "amcons")
    pattern = (
        r"clisc beats amcons by (\d\.\d) DSC points \[(\d\.\d), (\d\.\d)\] \(BCa 95 %\), "
        r"Holm p = \.005 \(sign-flip\), first in (\d+) % of bootstraps"
    )
    numbers = re.fullmatch(pattern, claim.text)
    assert numbers is not None, claim.text
    statistics = compare(compared, NAMED).statistics
    pair = statistics.family("overall-dsc").pairs[0]
    expected = [pair.mean_difference, pair.bca_interval.low, pair.bca_interval.high]
    assert [float(numbers[i]) for i in (1, 2, 3)] == pytest.approx([100 * x for x in expected], abs=0.051)
    assert pair.sign_flip.p == 1 / 1000
    assert pair.sign_flip.p_adjusted == pytest.approx(5 / 1000)
    assert int(numbers[4]) == round(100 * statistics.rankings[0].first["clisc"])
    assert (claim.supported, claim.exploratory) == (True, False)


def test_hd95_is_said_in_mm_and_a_shorter_one_is_better(said):
    claim = about(said, "overall-hd95", "amcons")
    assert re.match(r"clisc beats amcons on HD95 by 3\.\d mm \[3\.\d, 4\.\d\] \(BCa 95 %\), Holm p", claim.text)
    assert claim.supported


def test_a_lead_within_the_noise_is_refused(said):
    claim = about(said, "overall-dsc", "salip")
    assert re.match(r"clisc better than salip: not shown \(lead of 1\.\d DSC points \[-1.* Holm p = \.\d+ ", claim.text)
    assert not claim.supported


def test_a_lead_that_is_refused_is_that_of_whoever_has_it(compared):
    settings = CompareSettings(statistics=StatisticsSettings(reference="salip", resamples=999, bootstraps=200))
    turned = about(claims(compare(compared, settings)), "overall-dsc", "clisc")
    assert re.match(r"clisc better than salip: not shown \(lead of 1\.\d DSC points \[-1", turned.text)


def test_equivalence_needs_its_own_test(said):
    assert (
        about(said, "equivalence", "sam").text
        == "clisc and sam are equivalent within 2 DSC points (TOST, Holm p < .001)"
    )
    refused = about(said, "equivalence", "salip")
    assert not refused.supported
    assert re.fullmatch(
        r"clisc and salip equivalent within 2 DSC points: not shown \(TOST, Holm p = \.94\)", refused.text
    )
    assert not [claim for claim in said if claim.family == "equivalence" and "amcons" in claim.text]


def test_a_rival_that_wins_is_said_to_win(compared):
    settings = replace(NAMED, statistics=replace(NAMED.statistics, reference="amcons"))
    found = claims(compare(compared, settings))
    claim = about(found, "overall-dsc", "clisc")
    assert re.match(r"clisc beats amcons by 6\.\d DSC points \[5\.\d, 6\.\d\]", claim.text)
    assert re.match(r"clisc beats amcons on HD95 by 3\.\d mm", about(found, "overall-hd95", "clisc").text)


def test_the_correction_is_named(compared):
    settings = replace(NAMED, statistics=replace(NAMED.statistics, correction="fdr_by"))
    assert (
        "Benjamini-Yekutieli p = .004 (sign-flip)"
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
    assert re.match(pattern + r"\(t 95 %\), Holm p < \.001 \(interaction\) \(exploratory\)$", steep.text), steep.text
    assert re.match(
        r"clisc better than flat on \w+ tumours in particular: not shown, the interaction has Holm p = \.", flat.text
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


def test_groups_too_small_for_any_claim_are_said_so(said):
    claim = about(said, "groups")
    assert claim.text == (
        "clisc better or worse than another method in a group: not shown for 25 of 25 pairs of group and method; none "
        "could be: with n = 6 the smallest p is .031 before correction (exploratory)"
    )
    assert not claim.supported


def test_no_p_is_said_in_words(make_run):
    scores = [0.5, 0.6, 0.7, 0.4]
    found = claims(compare([make_run("clisc", scores), make_run("twin", scores)], NAMED))
    assert about(found, "overall-dsc").text == "clisc better than twin: not shown (equal in every case)"
    assert about(found, "overall-hd95").text == "clisc better than twin on HD95: not shown (equal in every case)"
    assert about(found, "equivalence").text == (
        "clisc and twin equivalent within 2 DSC points: not shown (equal in every case)"
    )
    assert about(found, "size").text == (
        "clisc better than twin on small or on large tumours in particular: not shown (equal in every case) "
        "(exploratory)"
    )
    assert {claim.text for claim in found if claim.family == "friedman"} == {
        "ranks differ on DSC: not shown (fewer than three methods)",
        "ranks differ on HD95: not shown (fewer than three methods)",
    }
    assert not any(claim.supported for claim in found)


def test_a_rival_without_a_common_case_is_not_passed_over(compared):
    comparison = compare(compared, NAMED)
    family = comparison.statistics.families[0]
    without = replace(family, pairs=tuple(pair for pair in family.pairs if pair.b != "sam"))
    statistics = replace(comparison.statistics, families=(without, *comparison.statistics.families[1:]))
    found = claims(replace(comparison, statistics=statistics))
    assert about(found, "overall-dsc", "than sam").text == "clisc better than sam: not shown (no case in common)"


def test_a_missing_interval_has_its_reason(compared):
    assert (
        "by 30.0 DSC points [no interval: the same in every case]"
        in about(claims(compare(compared, NAMED)), "overall-dsc", "threshold").text
    )


def test_ranks(said, compared):
    friedman = compare(compared, NAMED).statistics.friedman[0]
    text = about(said, "friedman", "on DSC").text
    assert text.startswith("the methods' ranks differ on DSC (Friedman p < .001, 6 methods, n = 30); not told apart: ")
    assert "; ".join(", ".join(clique) for clique in friedman.cliques) in text
    assert text.endswith(f"(Nemenyi, {friedman.critical_difference:.2f} ranks)")


def test_the_floor_and_who_is_below(said):
    (claim,) = [claim for claim in said if claim.family == "floor"]
    assert re.fullmatch(r"lost is below the floor threshold: mean DSC \d+\.\d %, not \d+\.\d %", claim.text)


def test_seeds(make_run):
    runs = [make_run("clisc", [0.5 + 0.1 * seed] * 6, seed=seed) for seed in range(3)]
    runs += [make_run("other", [0.4, 0.5] * 3), make_run("floor", [0.1, 0.2] * 3, is_floor=True)]
    found = {claim.text for claim in claims(compare(runs, NAMED)) if claim.family == "seeds"}
    assert found == {
        "3 seeds of clisc differ by 10.0 DSC points (sd)",
        "what another seed would give: not shown for other (one seed)",
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
