"""Mean differences of all rows to one of them, without tests: what an ablation adds up."""

from statistics import fmean

from unseg_bench.compare.comparison import Comparison
from unseg_bench.plugins.metric import Metric
from unseg_bench.report.numbers import digits_for, signed
from unseg_bench.report.text_table import TextSection, TextTable, plain_columns, text_row


def mean_difference(comparison: Comparison, metric: Metric, label: str, reference: str) -> float | None:
    """Return the mean over cases of a row minus the reference, DSC 0-1; None without a case that both have."""
    values = {
        name: {entry.case: entry.values[metric.name] for entry in comparison.entries if entry.label == name}
        for name in (label, reference)
    }
    pairs = [(value, values[reference].get(case)) for case, value in values[label].items()]
    known = [one - other for one, other in pairs if one is not None and other is not None]
    return fmean(known) if known else None


def difference_table(comparison: Comparison, reference: str) -> TextTable:
    """Return a row per label: its mean of each metric minus that of `reference`, case by case.

    Different means print differently, and none that is not 0 as 0.
    """
    labels = [label for label in comparison.labels if label != reference]
    means = {
        metric: {label: mean_difference(comparison, metric, label, reference) for label in labels}
        for metric in comparison.metrics
    }
    digits = {metric: digits_for((0.0, *own.values()), metric) for metric, own in means.items()}
    rows = tuple(
        text_row(label, *(signed(means[metric][label], metric, digits[metric]) for metric in means)) for label in labels
    )
    headings = [f"{metric.title}\n{metric.difference_unit}" for metric in means]
    return TextTable(
        key="differences",
        title=f"Mean difference to '{reference}'",
        columns=plain_columns("row", *headings, words=("row",)),
        sections=(TextSection(rows),),
    )
