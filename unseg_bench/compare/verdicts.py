"""Whether the test of a pair carries a sentence, and whether that is one about the mean or about the median."""

from dataclasses import dataclass
from typing import Literal

from unseg_bench.compare.statistics.record import Family, Interval, Pair, TestResult
from unseg_bench.compare.wording import scaled
from unseg_bench.score.metrics import BUILT_IN

CLAIM_LEVELS: dict[str, float] = {
    "overall-dsc": 0.02,
    "overall-hd95": 0.01,
    "groups": 0.005,
    "size": 0.005,
    "friedman": 0.005,
    "floor": 0.005,
}
"""A sentence of a family is carried where its p, corrected within the family, is below this: .05 in all.

Equivalence is of the first: for one pair it and a difference cannot both be false.
"""
MEAN_CASES = 60
"""From so many cases on, failures of one case in twenty have been seen with 95 % probability: 1 - .95^60."""
WORST_CASE_ALPHA = 0.05
"""A mean of fewer cases, or with outliers, is spoken of only where `Pair.worst_case_p` is below this."""

About = Literal["mean", "median"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pair's tests carry. about: what the sentence is about, and `why` where that is the median.

    better, worse: labels; where nothing is carried, of whoever leads. lead: of `better`, in DSC or mm, with its
    interval. cases: in how many `better` is better. test: what the verdict rests on. stopped: why a p below the level
    carries nothing all the same.
    """

    about: About
    why: str
    carried: bool
    better: str
    worse: str
    lead: float
    interval: Interval
    cases: int
    test: TestResult
    stopped: str = ""


def verdict(pair: Pair, family: Family) -> Verdict:
    """The verdict on a pair of a family.

    About the mean where the mean can be trusted: with MEAN_CASES or more and no outlier, or where it holds in the worst
    case too; else about the median. Number of cases and shape choose the question, never which of the two has a p.
    """
    level = CLAIM_LEVELS[family.key]
    mean = _of_mean(pair, level)
    why = doubt_of_mean(pair)
    if not why or (mean.carried and pair.worst_case_p is not None and pair.worst_case_p < WORST_CASE_ALPHA):
        return mean
    a_leads, difference = pair.wins >= pair.losses, pair.median_difference
    return _verdict(pair, level, "median", pair.sign, difference, pair.median_interval, a_leads=a_leads, why=why)


def doubt_of_mean(pair: Pair) -> str:
    """Why a mean difference is no safe summary of a pair, '' where it is."""
    if pair.n < MEAN_CASES:
        return f"under {MEAN_CASES} cases may hide rare failures"
    if pair.outliers:
        some = "1 case lies" if pair.outliers == 1 else f"{pair.outliers} cases lie"
        return f"{some} far from the rest"
    return ""


def _of_mean(pair: Pair, level: float) -> Verdict:
    """By the sign-flip test; both intervals must exclude 0, and ranks and median may not point the other way."""
    mean, higher = pair.mean_difference, _higher_is_better(pair)
    stopped = ""
    if _below(pair.sign_flip, level):
        stopped = next(
            (
                f"the {kind} interval holds 0"
                for kind, interval in (("t", pair.t_interval), ("BCa", pair.bca_interval))
                if interval.low is not None and interval.high is not None and interval.low <= 0.0 <= interval.high
            ),
            "",
        )
        if (pair.rank_biserial or 0.0) * mean < 0.0 or pair.median_difference * mean < 0.0:
            stopped = "mean and median point opposite ways"
    a_leads = mean == 0.0 or (mean > 0.0) == higher
    return _verdict(pair, level, "mean", pair.sign_flip, mean, pair.bca_interval, a_leads=a_leads, stopped=stopped)


def _verdict(
    pair: Pair,
    level: float,
    about: About,
    test: TestResult,
    difference: float,
    interval: Interval,
    *,
    a_leads: bool,
    why: str = "",
    stopped: str = "",
) -> Verdict:
    sign = 1.0 if a_leads == _higher_is_better(pair) else -1.0
    better, worse = (pair.a, pair.b) if a_leads else (pair.b, pair.a)
    return Verdict(
        about=about,
        why=why,
        carried=_below(test, level) and not stopped,
        better=better,
        worse=worse,
        lead=sign * difference,
        interval=scaled(interval, sign),
        cases=pair.wins if a_leads else pair.losses,
        test=test,
        stopped=stopped,
    )


def _below(test: TestResult, level: float) -> bool:
    return test.p_adjusted is not None and test.p_adjusted < level


def _higher_is_better(pair: Pair) -> bool:
    return BUILT_IN[pair.column.partition(":")[0]].higher_is_better
