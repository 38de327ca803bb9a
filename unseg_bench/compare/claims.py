"""Sentences that a comparison carries, and those that it does not: each from the test of its own family."""

from collections.abc import Iterator
from dataclasses import dataclass

from unseg_bench.compare.comparison import Comparison
from unseg_bench.compare.groups import BY_SIZE
from unseg_bench.compare.statistics.record import Family, Friedman, Interaction, Pair, SeedSpread, Statistics
from unseg_bench.compare.verdicts import CLAIM_LEVELS, Verdict, doubt_of_mean, verdict
from unseg_bench.compare.wording import (
    cases_rule,
    over_cases,
    say_interval,
    say_number,
    say_p,
    say_share,
    say_two_means,
)
from unseg_bench.plugins.metric import DIAGONAL
from unseg_bench.score.metrics import BUILT_IN, DEFAULT, DSC
from unseg_bench.words import count_text

_CORRECTED = {"holm": "Holm p", "fdr_by": "Benjamini-Yekutieli p"}
_TESTS = {"mean": "sign-flip", "median": "sign test"}
_NO_EVIDENCE = "these are phantoms: nothing below is evidence about the methods on patients"
_CHOSEN = " (exploratory: these data chose the reference)"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence. supported: its family's test carries it; one that is not reads 'not shown' and says why.

    family: 'overall-dsc', 'overall-hd95', 'groups', 'equivalence', 'size', 'friedman', 'seeds', 'floor' or 'evidence'.
    exploratory: it was not fixed beforehand, and its text says so. about: 'mean' or 'median' where it says that one
    method is better than another, with the labels of both; '' elsewhere.
    """

    text: str
    supported: bool
    family: str
    exploratory: bool
    about: str = ""
    better: str = ""
    worse: str = ""


def claims(comparison: Comparison) -> tuple[Claim, ...]:
    """Every sentence about a comparison's methods, carried or refused, that its statistics and floors allow.

    Where the data are no evidence (the phantom), the first sentence says that. Without statistics nothing is tested, so
    that only methods below a floor are named, as not shown.
    """
    found: list[Claim] = []
    if comparison.statistics is not None:
        found += _from_statistics(comparison, comparison.statistics)
    found += _below_the_floor(comparison)
    if comparison.evidence:
        return tuple(found)
    return (Claim(_NO_EVIDENCE, True, "evidence", False), *found) if found else ()


def _from_statistics(comparison: Comparison, statistics: Statistics) -> Iterator[Claim]:
    for metric in DEFAULT:
        family = statistics.family(f"overall-{metric.short}")
        where = "" if metric == DSC else f" on {metric.title}"
        ruled = metric.worst == DIAGONAL and comparison.empty != "diagonal"
        policy = f", empty masks: {comparison.empty}" if ruled else ""
        for rival in comparison.measured:
            if rival != statistics.reference:
                yield _overall(comparison, statistics, family, rival, where, policy)
    yield from _equivalences(comparison, statistics)
    for interaction in statistics.interactions:
        yield _size(comparison, interaction, _CORRECTED[statistics.settings.correction])
    yield from _groups(comparison, statistics)
    for test in statistics.friedman:
        if test.metric in {metric.name for metric in DEFAULT}:
            yield _ranks(test)
    floors = {row.label for row in comparison.rows if row.is_floor}
    yield from _seeds(
        comparison, [spread for spread in statistics.seeds if spread.metric == DSC.name and spread.label not in floors]
    )


def _overall(
    comparison: Comparison, statistics: Statistics, family: Family, rival: str, where: str, policy: str
) -> Claim:
    """The reference against one rival over all cases, whichever of them is better."""
    note = _CHOSEN if family.exploratory else ""
    pair = next((pair for pair in family.pairs if pair.b == rival), None)
    if pair is None or pair.sign_flip.p_adjusted is None:
        over = "" if pair is None else f", {over_cases(comparison, pair.column, pair.n, pair.a, pair.b)}"
        reason = "no case in common" if pair is None else f"{pair.sign_flip.reason}{over}"
        text = f"{statistics.reference} better than {rival}{where}: not shown ({reason}){note}"
        return Claim(text, False, family.key, family.exploratory)
    found = verdict(pair, family)
    said = f"{_lead(comparison, pair, found)}, {_test(found, family)}{policy}"
    if not found.carried:
        text = f"{found.better} better than {found.worse}{where}: not shown ({said}){note}"
        return Claim(text, False, family.key, family.exploratory)
    if found.about == "mean":
        ranking = next(ranking for ranking in statistics.rankings if ranking.metric == pair.column)
        said += f", first in {say_share(ranking.first[found.better])} of bootstraps"
    text = f"{_better(found, where)} {said}{note}"
    return Claim(text, True, family.key, family.exploratory, found.about, found.better, found.worse)


def _better(found: Verdict, where: str = "") -> str:
    """Who is better than whom: 'beats' is kept for the mean."""
    return f"{found.better} {'beats' if found.about == 'mean' else 'is better than'} {found.worse}{where}"


def _equivalences(comparison: Comparison, statistics: Statistics) -> Iterator[Claim]:
    """Equivalence of the reference with each rival; refused only where no difference is shown either."""
    family = statistics.family("overall-dsc")
    for pair in family.pairs:
        test = pair.equivalence
        if test is None:
            continue
        note = _CHOSEN if family.exploratory else ""
        within = f"within {100 * test.margin:g} DSC points"
        doubt = doubt_of_mean(pair)
        p = test.p_adjusted
        said = test.reason if p is None else f"TOST, {_CORRECTED[family.correction]} {say_p(p)}"
        said = f"{said}, {over_cases(comparison, pair.column, pair.n, pair.a, pair.b)}"
        if p is not None and p < CLAIM_LEVELS[family.key] and not doubt:
            text = (
                f"{pair.a} and {pair.b} are equivalent {within} in the mean ({said}); single cases may differ by more, "
                f"and failures in fewer than 1 of {pair.n // 3} cases may not have been seen{note}"
            )
            yield Claim(text, True, "equivalence", family.exploratory)
        elif not verdict(pair, family).carried:
            rests = f"; it rests on means, and {doubt}" if doubt else ""
            text = f"{pair.a} and {pair.b} equivalent {within}: not shown ({said}{rests}){note}"
            yield Claim(text, False, "equivalence", family.exploratory)


def _size(comparison: Comparison, interaction: Interaction, corrected: str) -> Claim:
    """Whether the lead depends on the tumour's size: that takes the interaction, not two p values."""
    a, b, p, slope = interaction.a, interaction.b, interaction.p_adjusted, interaction.slope
    over = f"over {count_text(interaction.n, 'case')}"
    if p is None or slope is None:
        text = (
            f"{a} better than {b} on small or on large tumours in particular: not shown ({interaction.reason}, {over})"
        )
        return Claim(f"{text} (exploratory)", False, "size", True)
    left_out = f"; {interaction.reason}" if interaction.reason else ""
    if _depends_on_size(interaction):
        way, step, sign = ("shrink", "halving", -1) if slope < 0 else ("grow", "doubling", 1)
        interval = say_interval(interaction.slope_interval, 100.0 * sign, "t ")
        text = (
            f"{a} gains on {b} as tumours {way}: {say_number(100 * abs(slope))} DSC points with each {step} of the "
            f"volume{interval} {over}, {corrected} {say_p(p)} (interaction){left_out} (exploratory)"
        )
        return Claim(text, True, "size", True)
    size = "small" if slope < 0 else "large"
    needed = interaction.cases_needed
    more = (
        f"; about {needed:,} cases would be needed if the slope is as seen"
        if needed is not None and needed > interaction.n
        else ""
    )
    ranks = "; the rank correlation does not bear it out" if p < CLAIM_LEVELS["size"] else ""
    text = (
        f"{a} better than {b} on {size} tumours in particular: not shown {over}, the interaction has {corrected} "
        f"{say_p(p)}{ranks}{more}{left_out} (exploratory)"
    )
    return Claim(text, False, "size", True)


def _depends_on_size(one: Interaction) -> bool:
    """By the slope's corrected p, and Spearman's correlation of the same sign must have p below .05 too."""
    p, ranks = one.p_adjusted, one.spearman
    if p is None or one.slope is None or ranks.p is None or ranks.statistic is None:
        return False
    return p < CLAIM_LEVELS["size"] and ranks.p < 0.05 and one.slope * ranks.statistic > 0.0


def _groups(comparison: Comparison, statistics: Statistics) -> Iterator[Claim]:
    """Groups in which a difference is shown, and how many show none."""
    family = statistics.family("groups")
    names = {column.key: column.group for column in comparison.columns}
    by_size = {one.b: _depends_on_size(one) for one in statistics.interactions}
    verdicts = [(pair, verdict(pair, family)) for pair in family.pairs if pair.sign_flip.p_adjusted is not None]
    shown = [(pair, found) for pair, found in verdicts if found.carried]
    for pair, found in shown:
        size = comparison.grouping == BY_SIZE and not by_size.get(pair.b, False)
        caution = "; that this depends on size is not shown" if size else ""
        text = (
            f"in group {names[pair.column]} {_better(found)} {_lead(comparison, pair, found)}, "
            f"{_test(found, family)}; corrected over {family.corrected_over} tests{caution} (exploratory)"
        )
        yield Claim(text, True, family.key, True, found.about, found.better, found.worse)
    if len(shown) < len(family.pairs):
        untested = len(family.pairs) - family.tested
        text = (
            f"{statistics.reference} better or worse than another method in a group: not shown for "
            f"{family.tested - len(shown)} of {family.tested} pairs of group and method"
            f"{f' with a p; {untested} have none' if untested else ''}"
            f"{'' if shown else _too_small(statistics, family)} (exploratory)"
        )
        yield Claim(text, False, family.key, True)


def _too_small(statistics: Statistics, family: Family) -> str:
    """Said where no outcome at all could have been carried: no pair's smallest p, 2 / 2^n, is small enough."""
    largest = max((pair.n for pair in family.pairs if pair.sign_flip.p is not None), default=0)
    tests = family.corrected_over
    factor = tests if family.correction == "holm" else sum(1.0 / i for i in range(1, tests + 1))
    smallest = max(2.0 ** (1 - largest), 1.0 / (statistics.settings.resamples + 1) if largest > 15 else 0.0)
    if not largest or smallest * factor < CLAIM_LEVELS[family.key]:
        return ""
    least = f"with n = {largest} the smallest p is {say_p(smallest).removeprefix('= ')} before correction"
    return f"; none could be: {least} over {tests} tests"


def _ranks(test: Friedman) -> Claim:
    """Whether the methods' ranks differ at all; the two default metrics share the level.

    Nemenyi's sets are not said: what they say of two methods depends on which others stand beside (Benavoli 2016).
    """
    metric = BUILT_IN[test.metric].title
    if test.p is None:
        return Claim(f"ranks differ on {metric}: not shown ({test.reason}, n = {test.n})", False, "friedman", False)
    said = f"Friedman p {say_p(test.p)}, {len(test.mean_ranks)} methods, n = {test.n}"
    if test.p >= CLAIM_LEVELS["friedman"] / 2:
        return Claim(f"ranks differ on {metric}: not shown ({said})", False, "friedman", False)
    text = f"the methods' ranks differ on {metric} ({said}); which of them differ, only the pairs can say"
    return Claim(text, True, "friedman", False)


def _seeds(comparison: Comparison, spreads: list[SeedSpread]) -> Iterator[Claim]:
    """How far seeds lie apart, and for which methods that is not known."""
    over = over_cases(comparison, "dsc", len(comparison.cases))
    for spread in spreads:
        if spread.sd is not None:
            seeds = f"{len(spread.means)} seeds of {spread.label}"
            text = f"{seeds} differ by {say_number(100 * spread.sd)} DSC points (sd of their means {over})"
            yield Claim(text, True, "seeds", False)
    single = [spread.label for spread in spreads if spread.sd is None]
    if single:
        yield Claim(
            f"what another seed would give {over}: not shown for {', '.join(single)} (one seed)", False, "seeds", False
        )


def _below_the_floor(comparison: Comparison) -> Iterator[Claim]:
    """Methods whose mean DSC is below that of a rule that learns nothing; carried by the test of the two alone."""
    means = {row.label: row.cells["dsc"].mean for row in comparison.rows}
    for row in comparison.rows:
        own, floor = means[row.label], means[comparison.floor] if comparison.floor else None
        if not row.below_floor or own is None or floor is None or comparison.floor is None:
            continue
        dsc = "mean DSC {}, not {}".format(*say_two_means(own, floor))
        name = f"{row.label} is below the floor {comparison.floor}"
        tested = _floor_pair(comparison, comparison.floor, row.label)
        if tested is None:
            over = over_cases(comparison, "dsc", row.cells["dsc"].n, row.label)
            yield Claim(f"{name}: not shown ({dsc} {over}; no test)", False, "floor", False)
            continue
        pair, family = tested
        found = verdict(pair, family)
        said = f"{dsc}; {found.better} better {_lead(comparison, pair, found)}, {_test(found, family)}"
        if found.carried and found.better == comparison.floor:
            yield Claim(f"{name}: {said}", True, "floor", False, found.about, found.better, found.worse)
        else:
            yield Claim(f"{name}: not shown ({said})", False, "floor", False)


def _floor_pair(comparison: Comparison, floor: str, label: str) -> tuple[Pair, Family] | None:
    """The tested pair of the floor and a method, of whichever family has it."""
    families = comparison.statistics.families if comparison.statistics is not None else ()
    for family in families:
        for pair in family.pairs:
            if pair.column == "dsc" and {pair.a, pair.b} == {floor, label} and pair.sign_flip.p_adjusted is not None:
                return pair, family
    return None


def _lead(comparison: Comparison, pair: Pair, found: Verdict) -> str:
    """How far who leads is ahead, over which cases: 'by 2.1 DSC points [1.0, 3.2] (BCa 95 %) in the mean over 75'."""
    metric = comparison.metric(pair.column.partition(":")[0])
    scale, unit = metric.scale, f"{metric.title} points" if metric.unit == "%" else metric.unit
    ahead = f"by {say_number(scale * found.lead)} {unit}"
    if found.about == "mean":
        over = over_cases(comparison, pair.column, pair.n, pair.a, pair.b)
        return f"{ahead}{say_interval(found.interval, scale, 'BCa ')} in the mean {over}"
    rule = cases_rule(comparison, pair.column, pair.n, pair.a, pair.b)
    better = f"in {found.cases} of {pair.n} cases{f' ({rule})' if rule else ''}"
    return f"{better}, {ahead}{say_interval(found.interval, scale, '')} in the median"


def _test(found: Verdict, family: Family) -> str:
    """The p of the verdict's test, named with its correction, and what else there is to say of it."""
    p = found.test.p_adjusted if found.test.p_adjusted is not None else 1.0
    said = f"{_CORRECTED[family.correction]} {say_p(p)} ({_TESTS[found.about]})"
    if found.stopped:
        said += f", but {found.stopped}"
    elif not found.carried and p < 0.05:
        said += f"; below {CLAIM_LEVELS[family.key]:g} is needed".replace("0.", ".")
    return said if found.about == "mean" else f"{said}; of the median, since {found.why}"
