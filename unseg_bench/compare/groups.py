"""Groups of cases by tumour size, equal in number: the paper's Tiny to Huge are five."""

from collections.abc import Mapping
from dataclasses import dataclass

from unseg_bench.errors import SettingsError

FIVE_NAMES = ("Tiny", "Small", "Medium", "Large", "Huge")
"""The paper's names (CLISC, Table 1): every 20 percentiles of whole-tumour volume."""
FEW_CASES = 5
"""Below so many cases a group's mean says little, and the table says that."""


@dataclass(frozen=True, slots=True)
class SizeGroup:
    """Cases of like tumour size, smallest first; `low_ml` and `high_ml` are the smallest and largest volume in it."""

    name: str
    low_ml: float
    high_ml: float
    cases: tuple[str, ...]

    @property
    def few(self) -> bool:
        """Whether the group has too few cases to say much."""
        return len(self.cases) < FEW_CASES


def size_groups(volumes_ml: Mapping[str, float], groups: int) -> tuple[SizeGroup, ...]:
    """Cut the cases, in order of (volume, name), into groups whose numbers differ by one at most.

    With fewer cases than groups every case is a group. Raises: SettingsError where `groups` is below 1.
    """
    if groups < 1:
        raise SettingsError(f"--groups {groups}: at least one group is needed")
    cases = sorted(volumes_ml, key=lambda case: (volumes_ml[case], case))
    count = min(groups, len(cases))
    names = FIVE_NAMES if count == len(FIVE_NAMES) else tuple(f"Size {i + 1}/{count}" for i in range(count))
    cuts = [i * len(cases) // count for i in range(count + 1)]
    return tuple(
        SizeGroup(name, volumes_ml[cases[start]], volumes_ml[cases[end - 1]], tuple(cases[start:end]))
        for name, start, end in zip(names, cuts, cuts[1:], strict=False)
    )
