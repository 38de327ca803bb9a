"""Comparisons made by hand: methods that are alike but for their mean, statistics written down rather than computed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from unseg_bench.compare.comparison import CaseEntry, Cell, Column, Comparison, MethodRow
from unseg_bench.compare.statistics.record import (
    Family,
    Friedman,
    Interval,
    Pair,
    Ranking,
    Statistics,
    StatisticsSettings,
    TestResult,
)
from unseg_bench.score.metrics import DEFAULT, DSC

NAMES = ("Tiny", "Small", "Medium", "Large", "Huge")
LABELS = (
    "clisc",
    "threshold",
    "supervised-unet",
    "sam-prompts (reference-code, 1a2b3c4d)",
    "a-method-with-a-very-long-name-indeed (paper, 5e6f7a8b)",
    "implicit_field",
    "<script>alert('$x_1$')</script>&",
    "salip",
)
NO_TEST = TestResult(1.0, 0.01, 0.04)


def group_of(index: int, count: int) -> str:
    return NAMES[index * 5 // count]


def entries_of(labels: Sequence[str], count: int) -> tuple[CaseEntry, ...]:
    noise = np.random.default_rng(3)
    hard = noise.beta(1.2, 9, count)
    entries = []
    for row, label in enumerate(labels):
        dsc = np.clip(0.97 - 0.045 * row - hard - 0.04 * noise.standard_normal(count), 0, 1)
        for i in range(count):
            ml = 2.0 * 1.06**i
            entries.append(
                CaseEntry(
                    label=label,
                    case=f"case-{i:03d}",
                    group=group_of(i, count),
                    tumour_ml=ml,
                    predicted_ml=float(ml * (0.9 + 0.4 * noise.random())),
                    values={"dsc": float(dsc[i]), "hd95_mm": float(60 * (1 - dsc[i]))},
                    seeds=1,
                    empty_predictions=0,
                )
            )
    return tuple(entries)


def columns_of(count: int) -> tuple[Column, ...]:
    ml = [2.0 * 1.06**i for i in range(count)]
    overall = [
        Column(metric.name, metric, None, metric.higher_is_better, count, ml[0], ml[-1], False, 0) for metric in DEFAULT
    ]
    grouped = []
    for name in NAMES:
        own = [ml[i] for i in range(count) if group_of(i, count) == name]
        if own:
            key = f"dsc:{name.lower()}"
            grouped.append(Column(key, DSC, name, True, len(own), own[0], own[-1], len(own) < 5, 0))
    return (*overall, *grouped)


def numbers_of(entries: Sequence[CaseEntry], label: str, column: Column) -> list[float]:
    own = [e for e in entries if e.label == label and column.group in {None, e.group}]
    found = [entry.values[column.metric.name] for entry in own]
    return [number for number in found if number is not None]


def row_of(label: str, entries: Sequence[CaseEntry], columns: Sequence[Column]) -> MethodRow:
    cells = {}
    for column in columns:
        numbers = numbers_of(entries, label, column)
        mean, sd = (float(np.mean(numbers)), float(np.std(numbers))) if numbers else (None, None)
        cells[column.key] = Cell(mean, sd, len(numbers), 0, column.n - len(numbers))
    return MethodRow(label.partition(" ")[0], label, "sealed", False, False, "", None, False, (0,), None, cells)


def pair_of(entries: Sequence[CaseEntry], a: str, b: str) -> Pair:
    ones = {entry.case: entry.values["dsc"] for entry in entries if entry.label == a}
    others = {entry.case: entry.values["dsc"] for entry in entries if entry.label == b}
    d = np.array([ones[c] - others[c] for c in ones if ones[c] is not None and others[c] is not None])
    mean = float(d.mean())
    interval = Interval(mean - 0.02, mean + 0.03)
    return Pair(
        column="dsc",
        a=a,
        b=b,
        n=len(d),
        mean_difference=mean,
        t_interval=interval,
        bca_interval=interval,
        t=NO_TEST,
        sign_flip=NO_TEST,
        sign_flip_exact=False,
        wilcoxon=NO_TEST,
        sign=NO_TEST,
        median_difference=float(np.median(d)),
        median_interval=interval,
        outliers=0,
        worst_case_p=None,
        dz=1.0,
        rank_biserial=0.5,
        hodges_lehmann=mean,
        wins=int((d > 0).sum()),
        ties=int((d == 0).sum()),
        losses=int((d < 0).sum()),
        equivalence=None,
    )


def friedman_of(metric: str, labels: Sequence[str], count: int) -> Friedman:
    ranks = {label: 1.0 + 0.9 * i for i, label in enumerate(labels)}
    if len(labels) < 3:
        return Friedman(metric, count, ranks, None, None, None, (), "fewer than three methods")
    return Friedman(metric, count, ranks, 30.0, 1e-5, 1.2, tuple(pairwise(labels)))


def ranking_of(metric: str, labels: Sequence[str]) -> Ranking:
    places = range(len(labels))
    shares = {label: [0.6 * (j == i) + 0.4 * (j == max(i - 1, 0)) for j in places] for i, label in enumerate(labels)}
    return Ranking(
        metric=metric,
        bootstraps=1000,
        mean_then_rank={label: float(i + 1) for i, label in enumerate(labels)},
        rank_then_mean={label: float(i + 1) for i, label in enumerate(labels)},
        first={label: own[0] for label, own in shares.items()},
        rank_low={label: float(max(i, 1)) for i, label in enumerate(labels)},
        rank_high={label: float(i + 1) for i, label in enumerate(labels)},
        counts={label: tuple(round(1000 * share) for share in own) for label, own in shares.items()},
        kendall_tau=0.9,
    )


def statistics_of(labels: Sequence[str], entries: Sequence[CaseEntry], count: int) -> Statistics:
    pairs = tuple(pair_of(entries, labels[0], label) for label in labels[1:])
    return Statistics(
        settings=StatisticsSettings(),
        reference=labels[0],
        reference_named=True,
        families=(Family("overall-dsc", "overall DSC", "holm", False, pairs),),
        mean_intervals=(),
        friedman=tuple(friedman_of(metric, labels, count) for metric in ("dsc", "hd95_mm")),
        rankings=tuple(ranking_of(metric, labels) for metric in ("dsc", "hd95_mm")),
        interactions=(),
        seeds=(),
    )


def made(methods: int = 3, count: int = 75, missing: Sequence[tuple[int, int]] = (), **changes: object) -> Comparison:
    labels = LABELS[:methods]
    entries = entries_of(labels, count)
    lost = {(labels[row], f"case-{case:03d}") for row, case in missing}
    entries = tuple(
        replace(e, values=dict.fromkeys(e.values), predicted_ml=None, seeds=0) if (e.label, e.case) in lost else e
        for e in entries
    )
    columns = columns_of(count)
    comparison = Comparison(
        dataset="brats2020",
        split="clisc",
        part="test",
        evidence=True,
        scoring_rules={},
        grouping="tumour size",
        empty="diagonal",
        missing="refuse",
        planned=count,
        cases=tuple(f"case-{i:03d}" for i in range(count)),
        alpha=0.001,
        floor=None,
        columns=columns,
        rows=tuple(row_of(label, entries, columns) for label in labels),
        tests=(),
        policies=(),
        entries=entries,
        statistics=statistics_of(labels, entries, count),
        published=None,
        notes=(),
        group_notes=(),
    )
    return replace(comparison, **changes)  # pyright: ignore[reportArgumentType]


Make = Callable[..., Comparison]


@pytest.fixture
def make() -> Make:
    """Return the maker of comparisons: `methods`, `count` of cases, `missing` as (row, case) pairs, other fields."""
    return made
