"""Sentences that a comparison carries, and those that it does not: each from the test of its own family."""

from collections.abc import Iterator
from dataclasses import dataclass

from unseg_bench.compare.comparison import Comparison, Metric
from unseg_bench.compare.groups import BY_SIZE
from unseg_bench.compare.statistics.record import (
    Family,
    Friedman,
    Interaction,
    Interval,
    Pair,
    SeedSpread,
    Statistics,
)

CLAIM_ALPHA = 0.05
"""A claim is carried where its p, corrected within its family, is below this."""
_CORRECTED = {"holm": "Holm p", "fdr_by": "Benjamini-Yekutieli p"}
_OVERALL: tuple[tuple[str, Metric, str], ...] = (("overall-dsc", "dsc", ""), ("overall-hd95", "hd95_mm", " on HD95"))
_NO_EVIDENCE = "these are phantoms: nothing below is evidence about the methods on patients"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence. supported: its family's test carries it; one that is not reads 'not shown' and says why.

    family: 'overall-dsc', 'overall-hd95', 'groups', 'equivalence', 'size', 'friedman', 'seeds', 'floor' or 'evidence'.
    exploratory: it was not fixed beforehand, and its text says so.
    """

    text: str
    supported: bool
    family: str
    exploratory: bool


def claims(comparison: Comparison) -> tuple[Claim, ...]:
    """Every sentence about a comparison's methods, carried or refused, that its statistics and floors allow.

    Where the data are no evidence (the phantom), the first sentence says that. Without statistics only what stands
    below a floor is said.
    """
    found: list[Claim] = []
    if comparison.statistics is not None:
        found += _from_statistics(comparison, comparison.statistics)
    found += _below_the_floor(comparison)
    if comparison.evidence:
        return tuple(found)
    return (Claim(_NO_EVIDENCE, True, "evidence", False), *found) if found else ()


def say_p(p: float) -> str:
    """A p value after its name: '= .21', '= .004', '< .001', '> .99'; never 0 or 1."""
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "> .99"
    return "= " + f"{p:.{2 if p >= 0.0995 else 3}f}".removeprefix("0")


def _from_statistics(comparison: Comparison, statistics: Statistics) -> Iterator[Claim]:
    for key, metric, where in _OVERALL:
        family = statistics.family(key)
        policy = "" if metric == "dsc" or comparison.empty == "diagonal" else f", empty masks: {comparison.empty}"
        for rival in comparison.measured:
            if rival != statistics.reference:
                yield _overall(statistics, family, metric, rival, where, policy)
    yield from _equivalences(statistics)
    for interaction in statistics.interactions:
        yield _size(interaction, _CORRECTED[statistics.settings.correction])
    yield from _groups(comparison, statistics)
    for test in statistics.friedman:
        yield _ranks(test)
    floors = {row.label for row in comparison.rows if row.is_floor}
    yield from _seeds([spread for spread in statistics.seeds if spread.metric == "dsc" and spread.label not in floors])


def _overall(statistics: Statistics, family: Family, metric: Metric, rival: str, where: str, policy: str) -> Claim:
    """The reference against one rival over all cases, whichever of them is better."""
    reference = statistics.reference
    note = " (exploratory: these data chose the reference)" if family.exploratory else ""
    pair = next((pair for pair in family.pairs if pair.b == rival), None)
    if pair is None or pair.primary.p_adjusted is None:
        reason = "no case in common" if pair is None else pair.primary.reason
        text = f"{reference} better than {rival}{where}: not shown ({reason}){note}"
        return Claim(text, False, family.key, family.exploratory)
    supported = pair.primary.p_adjusted < CLAIM_ALPHA
    lead = _Lead.of(pair, metric)
    if lead.mean < 0:
        lead = lead.turned()
    if not supported:
        said = f"lead of {lead.said()}, {_test(pair, family)}{policy}"
        text = f"{lead.better} better than {lead.worse}{where}: not shown ({said}){note}"
        return Claim(text, False, family.key, family.exploratory)
    ranking = next(ranking for ranking in statistics.rankings if ranking.metric == metric)
    first = f", first in {_percent(ranking.first[lead.better])} of bootstraps"
    text = f"{lead.better} beats {lead.worse}{where} by {lead.said()}, {_test(pair, family)}{first}{policy}{note}"
    return Claim(text, True, family.key, family.exploratory)


def _equivalences(statistics: Statistics) -> Iterator[Claim]:
    """Equivalence of the reference with each rival; refused only where no difference is shown either."""
    family = statistics.family("overall-dsc")
    name = _CORRECTED[family.correction]
    for pair in family.pairs:
        test = pair.equivalence
        if test is None:
            continue
        note = " (exploratory: these data chose the reference)" if family.exploratory else ""
        within = f"within {100 * test.margin:g} DSC points"
        said = test.reason if test.p_adjusted is None else f"TOST, {name} {say_p(test.p_adjusted)}"
        if test.p_adjusted is not None and test.p_adjusted < CLAIM_ALPHA:
            text = f"{pair.a} and {pair.b} are equivalent {within} ({said}){note}"
            yield Claim(text, True, "equivalence", family.exploratory)
        elif not _carried(pair):
            text = f"{pair.a} and {pair.b} equivalent {within}: not shown ({said}){note}"
            yield Claim(text, False, "equivalence", family.exploratory)


def _size(interaction: Interaction, corrected: str) -> Claim:
    """Whether the lead depends on the tumour's size: that takes the interaction, not two p values."""
    a, b, p, slope = interaction.a, interaction.b, interaction.p_adjusted, interaction.slope
    if p is None or slope is None:
        text = f"{a} better than {b} on small or on large tumours in particular: not shown ({interaction.reason})"
        return Claim(f"{text} (exploratory)", False, "size", True)
    left_out = f"; {interaction.reason}" if interaction.reason else ""
    if p < CLAIM_ALPHA:
        way, step, sign = ("shrink", "halving", -1) if slope < 0 else ("grow", "doubling", 1)
        interval = _interval(interaction.slope_interval, 100.0 * sign, "t")
        text = (
            f"{a} gains on {b} as tumours {way}: {_number(100 * abs(slope))} DSC points with each {step} of the volume"
            f"{interval}, {corrected} {say_p(p)} (interaction){left_out} (exploratory)"
        )
        return Claim(text, True, "size", True)
    size = "small" if slope < 0 else "large"
    needed = interaction.cases_needed
    more = (
        f"; about {needed:,} cases would be needed if the slope is as seen"
        if needed is not None and needed > interaction.n
        else ""
    )
    text = (
        f"{a} better than {b} on {size} tumours in particular: not shown, the interaction has {corrected} {say_p(p)}"
        f"{more}{left_out} (exploratory)"
    )
    return Claim(text, False, "size", True)


def _groups(comparison: Comparison, statistics: Statistics) -> Iterator[Claim]:
    """Groups in which a difference is shown, and how many show none."""
    family = statistics.family("groups")
    names = {column.key: column.group for column in comparison.columns}
    by_size = {one.b: one.p_adjusted is not None and one.p_adjusted < CLAIM_ALPHA for one in statistics.interactions}
    for pair in filter(_carried, family.pairs):
        lead = _Lead.of(pair, "dsc")
        if lead.mean < 0:
            lead = lead.turned()
        size = comparison.grouping == BY_SIZE and not by_size.get(pair.b, False)
        caution = "; that this depends on size is not shown" if size else ""
        text = (
            f"in group {names[pair.column]} (n = {pair.n}) {lead.better} beats {lead.worse} by {lead.said()}, "
            f"{_test(pair, family)} over {len(family.pairs)} tests{caution} (exploratory)"
        )
        yield Claim(text, True, family.key, True)
    none = sum(not _carried(pair) for pair in family.pairs)
    if none:
        text = (
            f"{statistics.reference} better or worse than another method in a group: not shown for {none} of "
            f"{len(family.pairs)} pairs of group and method{_too_small(family)} (exploratory)"
        )
        yield Claim(text, False, family.key, True)


def _too_small(family: Family) -> str:
    """Said where no outcome at all could have been carried: the smallest p of n cases is 2 / 2^n, times the tests."""
    n = max(pair.n for pair in family.pairs)
    smallest = 2.0 ** (1 - n)
    if smallest * len(family.pairs) < CLAIM_ALPHA:
        return ""
    return f"; none could be: with n = {n} the smallest p is {say_p(smallest).removeprefix('= ')} before correction"


def _ranks(test: Friedman) -> Claim:
    """Whether the methods' ranks differ at all, and which ranks cannot be told apart."""
    metric = "DSC" if test.metric == "dsc" else "HD95"
    if test.p is None:
        return Claim(f"ranks differ on {metric}: not shown ({test.reason})", False, "friedman", False)
    said = f"Friedman p {say_p(test.p)}, {len(test.mean_ranks)} methods, n = {test.n}"
    if test.p >= CLAIM_ALPHA:
        return Claim(f"ranks differ on {metric}: not shown ({said})", False, "friedman", False)
    alike = "; ".join(", ".join(clique) for clique in test.cliques)
    apart = f"not told apart: {alike}" if alike else "all told apart"
    text = f"the methods' ranks differ on {metric} ({said}); {apart} (Nemenyi, {test.critical_difference:.2f} ranks)"
    return Claim(text, True, "friedman", False)


def _seeds(spreads: list[SeedSpread]) -> Iterator[Claim]:
    """How far seeds lie apart, and for which methods that is not known."""
    for spread in spreads:
        if spread.sd is not None:
            text = f"{len(spread.means)} seeds of {spread.label} differ by {_number(100 * spread.sd)} DSC points (sd)"
            yield Claim(text, True, "seeds", False)
    single = [spread.label for spread in spreads if spread.sd is None]
    if single:
        yield Claim(
            f"what another seed would give: not shown for {', '.join(single)} (one seed)", False, "seeds", False
        )


def _below_the_floor(comparison: Comparison) -> Iterator[Claim]:
    """Methods whose mean DSC is below that of a rule that learns nothing."""
    means = {row.label: row.cells["dsc"].mean for row in comparison.rows}
    for row in comparison.rows:
        own, floor = means[row.label], means[comparison.floor] if comparison.floor else None
        if row.below_floor and own is not None and floor is not None:
            dsc = f"mean DSC {100 * own:.1f} %, not {100 * floor:.1f} %"
            text = f"{row.label} is below the floor {comparison.floor}: {dsc}"
            yield Claim(text, True, "floor", False)


@dataclass(frozen=True, slots=True)
class _Lead:
    """How far one method is ahead of another: positive where `better` deserves the name, in points or mm."""

    better: str
    worse: str
    mean: float
    interval: Interval
    unit: str

    @classmethod
    def of(cls, pair: Pair, metric: Metric) -> "_Lead":
        """The lead of a pair's first method."""
        scale, unit = (100.0, "DSC points") if metric == "dsc" else (-1.0, "mm")
        return cls(pair.a, pair.b, scale * pair.mean_difference, _scaled(pair.bca_interval, scale), unit)

    def turned(self) -> "_Lead":
        """The same as the lead of the other method."""
        return _Lead(self.worse, self.better, -self.mean, _scaled(self.interval, -1.0), self.unit)

    def said(self) -> str:
        """The lead with its interval."""
        return f"{_number(self.mean)} {self.unit}{_interval(self.interval, 1.0, 'BCa')}"


def _carried(pair: Pair) -> bool:
    return pair.primary.p_adjusted is not None and pair.primary.p_adjusted < CLAIM_ALPHA


def _test(pair: Pair, family: Family) -> str:
    """The primary test's p, named with its correction."""
    p = pair.primary.p_adjusted
    return (
        f"{_CORRECTED[family.correction]} {say_p(p)} (sign-flip)" if p is not None else f"no p: {pair.primary.reason}"
    )


def _interval(interval: Interval, scale: float, kind: str) -> str:
    """The interval in brackets after its number, or why there is none."""
    own = _scaled(interval, scale)
    if own.low is None or own.high is None:
        return f" [no interval: {interval.reason}]"
    return f" [{_number(own.low)}, {_number(own.high)}] ({kind} 95 %)"


def _scaled(interval: Interval, scale: float) -> Interval:
    """The interval of scale * x from that of x."""
    if interval.low is None or interval.high is None:
        return interval
    low, high = sorted((scale * interval.low, scale * interval.high))
    return Interval(low, high)


def _number(value: float) -> str:
    """One decimal, or one significant figure where that would hide what is not 0."""
    return f"{value + 0.0:.1f}" if abs(value) >= 0.05 or value == 0.0 else f"{value:.1g}"


def _percent(share: float) -> str:
    """A share in whole percent; neither 0 nor 100 unless it is."""
    if 0.0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1.0 else f"{100 * share:.0f} %"
