"""How often `ubench compare --claims` says something false where nothing, or something else, is true.

    OMP_NUM_THREADS=1 python benchmarks/claims_error_rates.py [--comparisons 500] [--cases 15 75] [--only WORD]

Each comparison has three made-up methods: `a`, the reference that was named beforehand, `b`, and `c`, a floor; `b` and
`c` are always alike. It goes the whole way from scores to sentences. A row of the first table is false where any
sentence is: of any family, in any group, on DSC or HD95. The second table says how often a true difference is shown.
Seeded: the same numbers give the same table (ten minutes on one core; --comparisons 100 takes two).
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unseg_bench.compare.build import compare
from unseg_bench.compare.claims import Claim, claims
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.statistics.record import StatisticsSettings
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import CaseScore, Flag

LABELS = ("a", "b", "c")
DIAGONAL_MM = 373.13
SETTINGS = CompareSettings(statistics=StatisticsSettings(reference="a", resamples=999, bootstraps=50))
Scores = NDArray[np.float64]
Draw = Callable[[np.random.Generator, Scores], Scores]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is drawn, and what is true of it.

    draw: generator and standardised log volumes (n) in, DSC (3, n) out. mean, median: sign of a - b (and a - c).
    equivalent: whether the mean difference is within 2 points. A slope over size is never true.
    """

    name: str
    draw: Draw
    mean: int = 0
    median: int = 0
    equivalent: bool = True

    def is_false(self, claim: Claim) -> bool:
        """Whether the comparison carries this sentence although it is not so."""
        if not claim.supported:
            return False
        if claim.better:
            sign = self.mean if claim.about == "mean" else self.median
            return "a" not in (claim.better, claim.worse) or sign == 0 or (claim.better == "a") != (sign > 0)
        if claim.family == "friedman":
            return self.median == 0
        return claim.family == "size" or (claim.family == "equivalence" and not self.equivalent)


def _level(rng: np.random.Generator, n: int) -> Scores:
    """DSC that the cases allow, from .5 to .8: noise of no scenario is cut off at 0 or 1."""
    return 0.5 + 0.3 * rng.beta(3, 2, n)


def _noise(rng: np.random.Generator, n: int, sd: float) -> Scores:
    """Noise of three methods; their differences have this standard deviation."""
    return rng.normal(0.0, sd / np.sqrt(2.0), (3, n))


def exchangeable(rng: np.random.Generator, size: Scores) -> Scores:
    """Three methods alike, each of which finds nothing in 8 % of cases."""
    n = len(size)
    dsc = np.clip(rng.beta(8, 2, n) + _noise(rng, n, 0.07), 0.01, 1.0)
    return np.where(rng.random((3, n)) < 0.08, 0.0, dsc)


def small_are_noisy(rng: np.random.Generator, size: Scores) -> Scores:
    """Noise of 5 points at the middle size, three times that at two standard deviations below."""
    return _level(rng, len(size)) + _noise(rng, len(size), 0.05) * np.exp(-0.55 * size)


def skewed(up: float, down: float, one_of: int, noise: float = 0.01) -> Draw:
    """A reference that is `up` ahead nearly always, and `down` behind in one of so many cases."""

    def draw(rng: np.random.Generator, size: Scores) -> Scores:
        n = len(size)
        ahead = np.where(rng.random(n) < 1.0 / one_of, down, up)
        return _level(rng, n) + _noise(rng, n, noise) + np.stack([ahead, np.zeros(n), np.zeros(n)])

    return draw


def shifted(lead: float, sd: float) -> Draw:
    """A reference that is `lead` ahead at every size, with normal differences."""

    def draw(rng: np.random.Generator, size: Scores) -> Scores:
        return _level(rng, len(size)) + _noise(rng, len(size), sd) + np.array([[lead], [0.0], [0.0]])

    return draw


def heavy_tails(rng: np.random.Generator, size: Scores) -> Scores:
    """Noise with tails so heavy that it has no variance (Student's t with 2 degrees of freedom)."""
    return _level(rng, len(size)) + 0.02 * rng.standard_t(2, (3, len(size)))


def unequal_noise(rng: np.random.Generator, size: Scores) -> Scores:
    """A reference that scatters five times as much as the others."""
    return _level(rng, len(size)) + rng.normal(0, 1, (3, len(size))) * np.array([[0.1], [0.02], [0.02]])


def falling_short(rng: np.random.Generator, size: Scores) -> Scores:
    """A reference that is ahead, and falls short by an exponential: equal means, one long tail."""
    n = len(size)
    ahead = 0.05 - rng.exponential(0.05, n)
    return _level(rng, n) + _noise(rng, n, 0.01) + np.stack([ahead, np.zeros(n), np.zeros(n)])


def both_fail_when_small(rng: np.random.Generator, size: Scores) -> Scores:
    """Three methods alike that find nothing in a quarter of the smaller half, together or alone."""
    n = len(size)
    dsc = _level(rng, n) + _noise(rng, n, 0.05)
    together, alone = rng.random(n) < 0.15, rng.random((3, n)) < 0.1
    return np.where((size < 0.0) & (together | alone), 0.0, dsc)


ASKED = (
    Scenario("exchangeable, 8 % failures", exchangeable),
    Scenario("noise grows in small tumours", small_are_noisy),
    Scenario("equal means: +2, -40 in one of 21", skewed(0.02, -0.40, 21), median=1),
    Scenario("the margin: -2, normal", shifted(-0.02, 0.057), mean=-1, median=-1, equivalent=False),
    Scenario("the margin: 0, -40 in one of 20", skewed(0.0, -0.40, 20, 0.02), mean=-1, median=-1, equivalent=False),
    Scenario("no interaction: 0 in each group", shifted(0.0, 0.057)),
    Scenario("no interaction: +3 in each group", shifted(0.03, 0.057), mean=1, median=1, equivalent=False),
)
FURTHER = (
    Scenario("heavy tails", heavy_tails),
    Scenario("unequal noise", unequal_noise),
    Scenario("equal means: +2, -80 in one of 41", skewed(0.02, -0.80, 41), median=1),
    Scenario("equal means: +5 minus an exponential", falling_short, median=1),
    Scenario("failures of small tumours", both_fail_when_small),
)
POWER = (
    Scenario("true lead of 3, sd 6", shifted(0.03, 0.06), mean=1, median=1, equivalent=False),
    Scenario("true lead of 5, sd 6", shifted(0.05, 0.06), mean=1, median=1, equivalent=False),
    Scenario("true lead of 3, sd 9", shifted(0.03, 0.09), mean=1, median=1, equivalent=False),
    Scenario("true lead of 5, sd 9", shifted(0.05, 0.09), mean=1, median=1, equivalent=False),
    Scenario("no difference, sd 6", shifted(0.0, 0.06)),
)


def said_of(scenario: Scenario, cases: int, number: int) -> tuple[Claim, ...]:
    """The sentences of the comparison of this number, drawn from a generator of its own."""
    rng = np.random.default_rng([cases, number, *scenario.name.encode()])
    size = np.sort(rng.standard_normal(cases))
    dsc = scenario.draw(rng, size)
    hd95_mm = np.where(dsc == 0.0, DIAGONAL_MM, 40.0 * (1.0 - dsc) + rng.exponential(2.0, dsc.shape))
    volumes_ml = np.exp(4.0 + 0.9 * size)
    runs = [_run(label, volumes_ml, *own) for label, *own in zip(LABELS, dsc, hd95_mm, strict=True)]
    return claims(compare(runs, SETTINGS))


def _run(label: str, volumes_ml: Scores, dsc: Scores, hd95_mm: Scores) -> RunScores:
    scores = [
        CaseScore(
            f"case-{i:03d}",
            ml,
            ml,
            dict(zip(BUILT_IN, (own, mm, mm, mm, own, own, own), strict=True)),
            DIAGONAL_MM,
            (Flag.EMPTY_PREDICTION,) * (own == 0.0),
        )
        for i, (ml, own, mm) in enumerate(zip(volumes_ml.tolist(), dsc.tolist(), hd95_mm.tolist(), strict=True))
    ]
    return RunScores(label, label, 0, "sealed", "made-up", "s", "test", True, scores, is_floor=label == "c")


def false_rates(scenario: Scenario, cases: int, comparisons: int) -> tuple[float, dict[str, float]]:
    """Share of comparisons with any false sentence, and by family, in percent."""
    families: Counter[str] = Counter()
    for number in range(comparisons):
        found = {claim.family for claim in said_of(scenario, cases, number) if scenario.is_false(claim)}
        families.update(found | ({"any"} if found else set()))
    rates = {family: 100.0 * count / comparisons for family, count in sorted(families.items())}
    return rates.pop("any", 0.0), rates


def true_rates(scenario: Scenario, cases: int, comparisons: int) -> dict[str, float]:
    """Share of comparisons with a true sentence about a and b by what it is about, in percent."""
    kinds: Counter[str] = Counter()
    for number in range(comparisons):
        shown = [one for one in said_of(scenario, cases, number) if one.supported and not scenario.is_false(one)]
        kinds.update(
            {one.about for one in shown if one.family == "overall-dsc" and {one.better, one.worse} == {"a", "b"}}
        )
        kinds.update({one.family for one in shown if one.family == "equivalence" and "a and b " in one.text})
    return {kind: 100.0 * count / comparisons for kind, count in kinds.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=500)
    parser.add_argument("--cases", type=int, nargs="+", default=[15, 75])
    parser.add_argument("--only", default="", help="scenarios whose name has this word")
    given = parser.parse_args(arguments)
    print(f"{'% of comparisons with a false sentence':40}{'n':>4}{'any':>7}  by family")
    for scenario in (*ASKED, *FURTHER):
        for cases in given.cases if given.only in scenario.name else ():
            rate, families = false_rates(scenario, cases, given.comparisons)
            by_family = ", ".join(f"{family} {share:.1f}" for family, share in families.items())
            print(f"{scenario.name:40}{cases:4}{rate:7.1f}  {by_family}", flush=True)
    print(f"\n{'% of comparisons that show it':40}{'n':>4}{'mean':>7}{'median':>8}{'equivalence':>13}")
    for scenario in POWER:
        for cases in given.cases if given.only in scenario.name else ():
            rates = true_rates(scenario, cases, given.comparisons)
            shown = [rates.get(kind, 0.0) for kind in ("mean", "median", "equivalence")]
            print(f"{scenario.name:40}{cases:4}{shown[0]:7.1f}{shown[1]:8.1f}{shown[2]:13.1f}", flush=True)


if __name__ == "__main__":
    main()
