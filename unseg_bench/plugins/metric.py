"""The role of a metric: how a predicted mask agrees with its reference, as one number per case."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from unseg_bench.errors import PluginError

if TYPE_CHECKING:
    from unseg_bench.data.volume import Mask

Measure: TypeAlias = "Callable[[Mask, Mask, tuple[float, float, float]], float]"
"""(reference, prediction, spacing_mm) -> value: masks (X, Y, Z) bool on one grid, read-only, voxel sizes in mm."""

DIAGONAL: Literal["diagonal"] = "diagonal"
"""As `worst`: the diagonal of the case's own grid in mm, the largest distance that there can be."""
LARGEST = 1e100
"""Of a value; sums of squares of such are far from overflow."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_KINDS: dict[str, type] = {
    **dict.fromkeys(("name", "title", "unit", "about", "code"), str),
    **dict.fromkeys(("higher_is_better", "measures_empty"), bool),
    "digits": int,
}
_LONGEST = {"title": 40, "unit": 12, "about": 200, "code": 64}
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: what it is called, how it is printed, which way is better, what an empty mask earns.

    name: its column in scores.csv, the unit last ('volume_error_ml'). title, unit: as tables print them. about: what it
    is, in words that can stand in a sentence. Tables print scale * value (100 for 0-1 as %), `digits` decimals or more.
    best: what two empty masks earn. worst: what a case earns of whose two masks one is empty, and what a missing
    prediction counts (`--missing worst`); None: there is no worst value. measures_empty: `measure` decides of empty
    masks instead. measure: called from several threads at once; None for a metric that is only read. code: digest of
    the plugin's code.
    Raises: PluginError naming what is wrong with one of them.
    """

    name: str
    title: str
    about: str
    higher_is_better: bool
    best: float
    worst: float | Literal["diagonal"] | None
    unit: str = ""
    scale: float = 1.0
    digits: int = 2
    measures_empty: bool = False
    measure: "Measure | None" = field(default=None, compare=False, repr=False)
    code: str = ""

    def __post_init__(self) -> None:
        """Check every field: a description may come from a run that was made elsewhere."""
        for what, kind in _KINDS.items():
            if not isinstance(getattr(self, what), kind):
                raise PluginError(f"metric {self.name!r}: {what} is not of type {kind.__name__}")
        if not _NAME.fullmatch(self.name):
            raise PluginError(f"metric {self.name!r}: a name is small letters, digits and '_', 40 at most")
        for what, longest in _LONGEST.items():
            text = str(getattr(self, what))
            if not text.isprintable() or len(text) > longest:
                raise self._error(f"{what} {text!r} is no printable text of at most {longest} letters")
        if not (self.title and self.about):
            raise self._error("title and about must say something")
        has_worst = self.worst is not None and self.worst != DIAGONAL
        if not all(map(is_number, (self.best, self.scale, *([self.worst] if has_worst else [])))) or self.scale <= 0:
            raise self._error("best and scale are numbers, scale above 0; worst is a number, 'diagonal' or None")
        if not 0 <= self.digits <= _MOST_DIGITS:
            raise self._error(f"digits is 0 to {_MOST_DIGITS}")
        if self.worst is None and not self.measures_empty:
            raise self._error("without a worst value, measures_empty=True must let the function decide of empty masks")

    @property
    def short(self) -> str:
        """The name without its unit, as one may write it on the command line: 'hd95' of 'hd95_mm'."""
        return self.name.removesuffix(f"_{self.unit}")

    @property
    def heading(self) -> str:
        """Title and unit: 'DSC %', 'HD95 mm'."""
        return f"{self.title} {self.unit}".rstrip()

    @property
    def difference_unit(self) -> str:
        """Unit of a difference as printed: 'points' of a percentage, else the metric's own."""
        return "points" if self.unit == "%" else self.unit

    def text(self, value: float) -> str:
        """Return a value as printed, without its unit."""
        return f"{self.scale * value:.{self.digits}f}"

    @property
    def facts(self) -> dict[str, Any]:
        """All but name and function, as run.json keeps them."""
        return {name: getattr(self, name) for name in _facts()}

    @classmethod
    def of_record(cls, name: str, facts: Mapping[str, Any]) -> "Metric":
        """Return the metric that `facts` describe. Raises: PluginError where they describe none."""
        try:
            return cls(name=name, **{one: facts[one] for one in _facts() if one in facts})
        except TypeError as error:
            raise PluginError(f"metric {name!r}: {error}") from None

    def _error(self, what: str) -> PluginError:
        return PluginError(f"metric '{self.name}': {what}")


def is_number(value: object) -> bool:
    """Whether a value can stand in a table: a real number, neither bool nor text, finite and not too large."""
    try:
        number = float(value)  # pyright: ignore[reportArgumentType] - that is what is asked
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool | str | bytes) and math.isfinite(number) and abs(number) <= LARGEST


def _facts() -> list[str]:
    return [one.name for one in fields(Metric) if one.name not in {"name", "measure"}]
