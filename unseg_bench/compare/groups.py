"""Groups of cases: by tumour size, equal in number (the paper's Tiny to Huge are five), or by a cohort's own column."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from unseg_bench.errors import SettingsError

FIVE_NAMES = ("Tiny", "Small", "Medium", "Large", "Huge")
"""The paper's names (CLISC, Table 1): every 20 percentiles of whole-tumour volume."""
FEW_CASES = 5
"""Below so many cases a group's mean says little: the table says that, and gives no interval."""
LEAST_CASES = 3
"""No group that is cut by a quantity has fewer cases, unless there are fewer in all: there are fewer groups then."""
MOST_GROUPS = 12
"""More groups than these make no table that can be read."""
MOST_NUMBERS = 8
"""A column of numbers with more distinct values than these is cut into groups of equal number."""
BY_SIZE = "tumour size"
NOT_GIVEN = "not given"
"""Name of the group of cases whose cell is empty."""


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """Some cases, ordered by (quantity, name). low, high: ends of the quantity that groups are cut by, None without."""

    name: str
    cases: tuple[str, ...]
    low: float | None = None
    high: float | None = None

    @property
    def few(self) -> bool:
        """Whether the group has too few cases to say much."""
        return len(self.cases) < FEW_CASES


@dataclass(frozen=True, slots=True)
class Grouping:
    """What the groups are made of, the groups in order, and what a reader must know of them."""

    title: str
    groups: tuple[CaseGroup, ...]
    notes: tuple[str, ...]


def group_by_size(volumes_ml: Mapping[str, float], groups: int) -> Grouping:
    """Cut the cases, in order of (volume, name), into groups whose numbers differ by one at most: five are quintiles.

    There are fewer groups where they would have fewer than LEAST_CASES cases. Raises: SettingsError where `groups` is
    not 1 to MOST_GROUPS.
    """
    cut = _cut(volumes_ml, groups)
    names = FIVE_NAMES if len(cut) == len(FIVE_NAMES) else [f"Size {i + 1}/{len(cut)}" for i in range(len(cut))]
    named = [_quantile(name, cases, volumes_ml) for name, cases in zip(names, cut, strict=True)]
    notes = _cut_notes(named, groups, "size group", "the volume", " ml")
    return Grouping(BY_SIZE, tuple(named), (*notes, *_few(named, "size group")))


def group_by_column(column: str, texts: Mapping[str, str], groups: int) -> Grouping:
    """Group cases by the text of a column; cases with an empty text are a group of their own, the last.

    Words, and numbers of at most MOST_NUMBERS distinct values: a group each, in natural order. Other numbers: `groups`
    groups of equal number. Raises: SettingsError where that makes more than MOST_GROUPS, or nothing is given at all.
    """
    given = {case: text for case, text in texts.items() if text}
    if not given:
        raise SettingsError(f"--group-by {column}: the column is empty for every case; name another")
    numbers = _numbers(given)
    if numbers is not None and len(set(numbers.values())) > MOST_NUMBERS:
        found = _unlike([_ranged(column, cases, numbers) for cases in _cut(numbers, groups)])
        notes = _cut_notes(found, groups, "group", f"the {column}", "")
    else:
        found, notes = _categories(column, given, numbers), ()
    if len(given) < len(texts):
        found.append(CaseGroup(NOT_GIVEN, tuple(sorted(texts.keys() - given.keys()))))
    if len(found) > MOST_GROUPS:
        raise SettingsError(
            f"--group-by {column}: {len(found)} groups are more than {MOST_GROUPS}; name another column"
        )
    return Grouping(column, tuple(found), (*notes, *_few(found, "group")))


def _cut(quantity: Mapping[str, float], groups: int) -> list[tuple[str, ...]]:
    """Cases in order of (quantity, name), in tuples whose lengths differ by one at most."""
    if not 1 <= groups <= MOST_GROUPS:
        raise SettingsError(f"--groups {groups}: 1 to {MOST_GROUPS} groups can be made")
    cases = sorted(quantity, key=lambda case: (quantity[case], case))
    count = max(1, min(groups, len(cases) // LEAST_CASES))
    cuts = [i * len(cases) // count for i in range(count + 1)]
    return [tuple(cases[start:end]) for start, end in pairwise(cuts)]


def _quantile(name: str, cases: tuple[str, ...], quantity: Mapping[str, float]) -> CaseGroup:
    return CaseGroup(name, cases, quantity[cases[0]], quantity[cases[-1]])


def _ranged(column: str, cases: tuple[str, ...], numbers: Mapping[str, float]) -> CaseGroup:
    ends = dict.fromkeys(f"{numbers[case]:.4g}" for case in (cases[0], cases[-1]))
    return _quantile(f"{column} {' to '.join(ends)}", cases, numbers)


def _unlike(groups: Sequence[CaseGroup]) -> list[CaseGroup]:
    """The groups with their names told apart where ties gave two the same range."""
    names = [group.name for group in groups]
    return [
        group
        if names.count(group.name) == 1
        else CaseGroup(f"{group.name} ({names[: i + 1].count(group.name)})", group.cases, group.low, group.high)
        for i, group in enumerate(groups)
    ]


def _numbers(texts: Mapping[str, str]) -> dict[str, float] | None:
    """The texts as numbers, None where one is not."""
    try:
        numbers = {case: float(text) for case, text in texts.items()}
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers.values())) else None


def _categories(column: str, texts: Mapping[str, str], numbers: Mapping[str, float] | None) -> list[CaseGroup]:
    """A group for each distinct value; a bare number is named with its column."""
    if numbers is not None:
        return [
            CaseGroup(f"{column} {value:g}", tuple(sorted(case for case in numbers if numbers[case] == value)))
            for value in sorted(set(numbers.values()))
        ]
    return [
        CaseGroup(text, tuple(sorted(case for case in texts if texts[case] == text)))
        for text in sorted(set(texts.values()), key=_natural)
    ]


def _natural(text: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Key of the order in which 'T2' comes before 'T10'."""
    parts = [part for part in re.split(r"(\d+)", text.casefold()) if part]
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts], text


def _cut_notes(groups: Sequence[CaseGroup], asked: int, kind: str, quantity: str, unit: str) -> tuple[str, ...]:
    """What a reader must know of groups that were cut by a quantity."""
    notes: list[str] = []
    if len(groups) < asked:
        cases = sum(len(group.cases) for group in groups)
        found = f"{cases} case{'s' * (cases > 1)} make {len(groups)} {kind}{'s' * (len(groups) > 1)}, not {asked}"
        notes.append(f"{found}: a group needs {LEAST_CASES} cases")
    for one, other in pairwise(groups):
        if one.high is not None and one.high == other.low:
            notes.append(
                f"{one.name} and {other.name} share {quantity} {one.high:.6g}{unit}: ordered there by case name"
            )
    return tuple(notes)


def _few(groups: Sequence[CaseGroup], kind: str) -> tuple[str, ...]:
    few = [group.name for group in groups if group.few]
    if not few:
        return ()
    which = f"every {kind}" if len(few) == len(groups) else ", ".join(few)
    return (f"fewer than {FEW_CASES} cases in {which}: such means say little",)
