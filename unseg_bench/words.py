"""Numbers and names as people read them in a sentence."""

from collections.abc import Iterable


def seconds_text(seconds: float) -> str:
    """Return a duration such as '0.4 s', '12 s', '3 min 05 s', '2 h 10 min' or '3 days 4 h'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} days {whole % 86400 // 3600} h"


def bytes_text(size: int) -> str:
    """Return a size such as '12 B', '3.4 MB' or '1.2 GB' (powers of 1000)."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" or value >= 99.5 else f"{value:.1f} {units[0]}"


def count_text(count: int, noun: str) -> str:
    """Return '1 case' or '3 cases'."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_of(names: Iterable[str], most: int = 3) -> str:
    """Return the first names with commas, and how many more there are: 'a, b, c and 4 more'."""
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")
