"""Unknown names are answered with the nearest known one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to `name`, else the list of known names."""
    names = sorted(known)
    if near := get_close_matches(name, names, n=1, cutoff=0.5):
        return f" Did you mean '{near[0]}'?"
    return f" Known: {', '.join(names)}." if names else ""
