"""A comparison made by hand, every number known: four methods, ten cases, five groups, marks of every kind."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from unseg_bench.compare.comparison import (
    AuditRow,
    CaseEntry,
    Cell,
    Column,
    ColumnTest,
    Comparison,
    FalseClaim,
    MethodRow,
    PolicyCell,
    PolicyRow,
    Published,
    PublishedCell,
    PublishedRow,
)
from unseg_bench.compare.statistics.record import (
    Equivalence,
    Family,
    Friedman,
    Interaction,
    Interval,
    MeanInterval,
    Pair,
    Ranking,
    SeedSpread,
    Statistics,
    StatisticsSettings,
    TestResult,
)
from unseg_bench.score.metrics import DEFAULT

LABELS = ("clisc", "threshold", "sam|x_1 & <script>", "=cmd")
GROUPS = ("Tiny", "Small", "Medium", "Large", "Huge")
RANGES_ML = ((0.5, 2.1), (2.5, 9.0), (10.0, 20.0), (25.0, 25.0), (99.96, 1204.4))
DSC = {"clisc": 0.856, "threshold": 0.7, "sam|x_1 & <script>": 0.6, "=cmd": 0.8125}
HD95 = {"clisc": 6.72, "threshold": 110.5, "sam|x_1 & <script>": 27.44, "=cmd": 9.03}


def columns():
    for metric in DEFAULT:
        yield Column(metric.name, metric, None, metric.higher_is_better, 10, 0.5, 1204.4, False, 1)
    for metric in DEFAULT:
        for i, (group, (low, high)) in enumerate(zip(GROUPS, RANGES_ML, strict=True)):
            key = f"{metric.name}:{group.lower()}"
            yield Column(key, metric, group, metric.higher_is_better, 2, low, high, True, int(i == 0))


def cell(label, column):
    shift = 0.0 if column.group is None else 0.01 * (GROUPS.index(column.group) - 2)
    mean = DSC[label] + shift if column.metric.name == "dsc" else HD95[label] - 100 * shift
    sam = label.startswith("sam") and column.group in {None, "Tiny"}
    fewer = int(sam and column.metric.name == "hd95_mm")
    return Cell(mean, 0.0926 if column.metric.name == "dsc" else 5.41, column.n - fewer, 2 * sam, int(sam))


def method_rows():
    for label in LABELS:
        cells = {column.key: cell(label, column) for column in columns()}
        seeds, sd = ((0, 1), 0.0123) if label == "clisc" else ((0,), None)
        floor, below = label == "threshold", label.startswith("sam")
        yield MethodRow(label.split("|")[0], label, "sealed", floor, False, "", None, below, seeds, sd, cells)


def entries():
    for label in LABELS:
        for i in range(10):
            missing = label.startswith("sam") and i == 0
            yield CaseEntry(
                label=label,
                case=f"-case{i}" if i == 9 else f"case{i}",
                group=GROUPS[i // 2],
                tumour_ml=0.5 + i / 3,
                predicted_ml=None if missing else 0.4,
                values={"dsc": None if missing else DSC[label], "hd95_mm": None if missing else HD95[label]},
                seeds=0 if missing else 2 if label == "clisc" else 1,
                empty_predictions=int(label.startswith("sam") and i in {1, 2}),
            )


def pair(key, b, mean):
    test = TestResult(1.5, 0.0004, 0.0234)
    return Pair(
        column=key,
        a="clisc",
        b=b,
        n=10,
        mean_difference=mean,
        t_interval=Interval(mean - 0.02, mean + 0.03),
        bca_interval=Interval(None, None, "one case only") if b == "=cmd" else Interval(mean - 0.01, mean + 0.02),
        t=test,
        sign_flip=TestResult(None, None, None, "equal in every case") if b == "=cmd" else test,
        sign_flip_exact=True,
        wilcoxon=TestResult(3.0, 0.5, 1.0),
        sign=TestResult(7.0, 0.34, 0.68),
        median_difference=mean,
        median_interval=Interval(mean - 0.02, mean + 0.02),
        outliers=1,
        worst_case_p=0.2,
        dz=0.33,
        rank_biserial=-0.5,
        hodges_lehmann=mean,
        wins=7,
        ties=1,
        losses=2,
        equivalence=Equivalence(0.02, 0.03, True, None, 0.06) if key.startswith("dsc") else None,
    )


def family(key, title, keys, *, exploratory=False):
    pairs = tuple(pair(one, b, 0.1 if one.startswith("dsc") else -3.5) for one in keys for b in LABELS[1:])
    return Family(key, title, "holm", exploratory, pairs)


def statistics():
    places = {label: float(i + 1) for i, label in enumerate(LABELS)}
    return Statistics(
        settings=StatisticsSettings(reference="clisc"),
        reference="clisc",
        reference_named=True,
        families=(
            family("overall-dsc", "overall DSC", ["dsc"]),
            family("overall-hd95", "overall HD95", ["hd95_mm"]),
            family("groups", "DSC in groups", [f"dsc:{name.lower()}" for name in GROUPS], exploratory=True),
        ),
        mean_intervals=tuple(
            MeanInterval(label, key, 10, DSC[label], Interval(0.5, 0.7), Interval(0.51, 0.69))
            for label in LABELS
            for key in ("dsc", "dsc:tiny")
        ),
        friedman=tuple(
            Friedman(metric, 10, places, 12.5, 0.0058, 1.48, (LABELS[:2], LABELS[1:3])) for metric in ("dsc", "hd95_mm")
        ),
        rankings=tuple(
            Ranking(metric, 1000, places, places, dict.fromkeys(LABELS, 0.25), places, places, {}, 0.8)
            for metric in ("dsc", "hd95_mm")
        ),
        interactions=tuple(
            Interaction(
                "clisc", b, 10, TestResult(0.4, 0.2, None), -0.012, Interval(-0.03, 0.01), 0.04, 120, None, 0.12
            )
            for b in LABELS[1:]
        ),
        seeds=(SeedSpread("clisc", "dsc", {0: 0.85, 1: 0.86}, 0.0071), SeedSpread("threshold", "dsc", {0: 0.7}, None)),
    )


def published():
    cells = {column.key: PublishedCell(0.797, 0.0958) for column in columns() if column.metric.name == "dsc"}
    row = PublishedRow("CLISC", "yes", cells | {"hd95_mm": PublishedCell(6.72, 5.41)})
    by_correlation = {f"{tenth / 10:.1f}": 0.29 - tenth / 50 for tenth in range(10)}
    return Published(
        source="the paper, Table 1",
        same_cases=False,
        why_other="data phantom",
        rows=(row,),
        audit=(AuditRow("CLISC", 0.8560, 0.8552, 0.0008), AuditRow("SAM", 0.8059, 0.8133, -0.0074)),
        false_claims=(FalseClaim("CLISC", "Fullsup", "dsc:tiny", 15, False, by_correlation),),
    )


def policies():
    for i, label in enumerate(LABELS):
        ranks = (1.0, 4.0, 2.5, 2.5) if label.startswith("sam") else (i + 1.0,) * 4
        names = ("diagonal", "exclude", "zero", "rank")
        cells = {
            name: PolicyCell(HD95[label], 9 if name == "exclude" and i == 2 else 10, rank)
            for name, rank in zip(names, ranks, strict=True)
        }
        yield PolicyRow(label, 2 * (i == 2), cells, i == 2)


def made(**changes):
    """A comparison on a phantom with statistics and published rows; fields can be replaced by name."""
    comparison = Comparison(
        dataset="phantom",
        split="s_1",
        part="test",
        evidence=False,
        scoring_rules={"hd95": "pooled"},
        grouping="tumour size",
        empty="diagonal",
        missing="worst",
        planned=10,
        cases=tuple(f"-case{i}" if i == 9 else f"case{i}" for i in range(10)),
        alpha=0.001,
        floor="threshold",
        columns=tuple(columns()),
        rows=tuple(method_rows()),
        tests=tuple(
            ColumnTest(
                column.key,
                "clisc",
                "=cmd",
                False,
                5.0,
                1e-5,
                None,
                column.group is None,
                column.n,
                ("clisc",),
                ("=cmd",),
            )
            for column in columns()
        ),
        policies=tuple(policies()),
        entries=tuple(entries()),
        statistics=statistics(),
        published=published(),
        notes=("a note",),
        group_notes=("a note on groups",),
    )
    return replace(comparison, **changes)


@pytest.fixture
def make() -> Callable[..., Comparison]:
    """Return the maker of the comparison; its fields can be replaced by name."""
    return made
