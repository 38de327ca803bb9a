"""Numbers as a paper prints them; every export takes them from here. None, an undefined number, is a dash."""

from collections.abc import Iterable

from unseg_bench.compare.statistics.record import Interval
from unseg_bench.compare.wording import digits_apart
from unseg_bench.plugins.metric import Metric

DASH = "–"
"""What stands for a number that there is not."""


def fixed(value: float | None, digits: int) -> str:
    """Return a number with so many decimals, never '-0.00'."""
    if value is None:
        return DASH
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def amount(value: float | None, metric: Metric, digits: int | None = None) -> str:
    """Return a score or a difference of scores as printed: DSC (0-1) in points, HD95 in mm."""
    return fixed(None if value is None else metric.scale * value, metric.digits if digits is None else digits)


def digits_for(values: Iterable[float | None], metric: Metric, least: int | None = None) -> int:
    """Return how many decimals tell scores that are not equal apart as printed: `least` (the metric's), or more."""
    printed = (None if value is None else metric.scale * value for value in values)
    return digits_apart(printed, metric.digits if least is None else least)


def signed(value: float | None, metric: Metric, digits: int | None = None) -> str:
    """Return a difference of scores with its sign: '+1.20', '-3.00', '0.00'."""
    text = amount(value, metric, digits)
    return text if text[0] in f"-{DASH}" or not text.strip("0.") else f"+{text}"


def mean_and_spread(mean: float | None, sd: float | None, metric: Metric, digits: int | None = None) -> str:
    """Return '85.60±9.26'."""
    return DASH if mean is None else f"{amount(mean, metric, digits)}±{amount(sd, metric, digits)}"


def p_value(p: float | None) -> str:
    """Return '<.001', '.023' or '1.00'; three decimals, never rounded to 0 or, from below, to 1."""
    if p is None:
        return DASH
    if p >= 1.0:
        return "1.00"
    return "<.001" if p < 0.001 else f"{min(p, 0.999):.3f}".removeprefix("0")


def p_values(p: float | None, adjusted: float | None) -> str:
    """Return p and in brackets the corrected p: '.023 (.069)'."""
    return DASH if p is None else f"{p_value(p)} ({p_value(adjusted)})"


def share(value: float | None) -> str:
    """Return a probability with two decimals, '<.01' and '>.99' near its ends: '.23', '0', '1'."""
    if value is None:
        return DASH
    if value in {0.0, 1.0}:
        return f"{value:.0f}"
    if value < 0.01:
        return "<.01"
    return ">.99" if value > 0.99 else f"{value:.2f}".removeprefix("0")


def interval_text(interval: Interval, metric: Metric, digits: int | None = None) -> str:
    """Return '-1.20 to 3.40', a dash where the interval is undefined."""
    if interval.low is None or interval.high is None:
        return DASH
    return f"{amount(interval.low, metric, digits)} to {amount(interval.high, metric, digits)}"


def rank(value: float | None) -> str:
    """Return a rank: '2', or '2.5' where it is shared."""
    return DASH if value is None else f"{value:g}" if float(value).is_integer() else fixed(value, 1)


def volume(ml: float | None) -> str:
    """Return a volume in ml with three digits that count, never as a power of ten: '0.53', '12.4', '1204'."""
    if ml is None:
        return DASH
    if 0.0 < ml < 0.01:
        return "<0.01"
    return f"{ml:.0f}" if ml >= 999.5 else f"{ml:.3g}"


def volume_range(low_ml: float, high_ml: float) -> str:
    """Return '0.53–2.1', one volume where both ends are printed alike."""
    return "–".join(dict.fromkeys((volume(low_ml), volume(high_ml))))
