"""How every figure looks: sizes for print, colours that survive colour blindness and grey, fonts, the line below."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from unseg_bench.compare.comparison import Comparison

SINGLE_MM, DOUBLE_MM = 85.0, 180.0
"""Widths of one and of two columns of a journal."""
SMALL, NORMAL = 7.0, 8.0
"""Sizes of type in points; nothing is printed smaller."""
LINE_MM = 3.1
"""Height of a line of small type."""
MM_PER_INCH, POINTS_PER_MM = 25.4, 72 / 25.4

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#555555", "#F0E442")
"""Okabe and Ito's palette (2008), black lightened to grey; told apart with red-green blindness too."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*", "d")
LINES: tuple[Any, ...] = (
    "-",
    (0, (4, 1.2)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
    (0, (2.5, 1)),
    (0, (6, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
EDGE = "#222222"
GREY = "#767676"
REFERENCE = "#E8000B"

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    # The first ships with matplotlib, so that bytes do not depend on the machine; the others are as wide, for readers.
    "font.sans-serif": ["DejaVu Sans", "Bitstream Vera Sans", "Verdana", "Geneva"],
    "font.size": SMALL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "figure.labelsize": NORMAL,
    "figure.titlesize": NORMAL,
    "figure.facecolor": "white",
    "axes.linewidth": 0.6,
    "axes.edgecolor": EDGE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "unseg-bench",
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}


@dataclass(frozen=True, slots=True)
class MethodStyle:
    """One method's colour, marker and line style, the same in every figure of a comparison."""

    colour: str
    marker: str
    line: Any


@contextmanager
def house_style() -> Generator[None]:
    """Set the house's look for drawing and saving, whatever the user's matplotlibrc says, and put all back after."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield


def method_styles(labels: Sequence[str]) -> dict[str, MethodStyle]:
    """Return each label's style by its place among the rows; after eight methods colours come again, markers do not."""
    return {
        label: MethodStyle(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])
        for i, label in enumerate(labels)
    }


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure of this size that keeps its texts inside and apart."""
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained")
    figure.get_layout_engine().set(w_pad=1 / MM_PER_INCH, h_pad=1 / MM_PER_INCH)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    return figure


def settle(figure: Figure) -> None:
    """Lay a figure out once for all formats, and round where its axes lie.

    The solver's last digits change from call to call, and would change the file's bytes.
    """
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(float(side), 5) for side in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))


def text_width_mm(text: str, size: float = SMALL) -> float:
    """Return how wide a text is printed, its longest line counting."""
    font = FontProperties(family=["DejaVu Sans"], size=size)
    lines = text.splitlines() or [""]
    return max(text_to_path.get_text_width_height_descent(line, font, False)[0] for line in lines) / POINTS_PER_MM


def wrapped(text: str, width_mm: float, size: float = SMALL) -> str:
    """Break a text into lines of at most `width_mm`: at spaces, else after - _ / or (, else anywhere."""
    lines: list[str] = [""]
    for piece in _pieces(text):
        if text_width_mm((lines[-1] + piece).rstrip(), size) <= width_mm or not lines[-1].strip():
            lines[-1] += piece
        else:
            lines.append(piece.lstrip())
        while text_width_mm(lines[-1].rstrip(), size) > width_mm and len(lines[-1]) > 1:
            lines[-1:] = _cut(lines[-1], width_mm, size)
    return "\n".join(line.rstrip() for line in lines)


def add_footer(figure: Figure, comparison: Comparison, *notes: str) -> None:
    """Write the notes on a comparison below the figure (see `add_notes`)."""
    add_notes(figure, *notes, evidence=comparison.evidence)


def add_notes(figure: Figure, *notes: str, evidence: bool) -> None:
    """Write the notes below the figure, which grows by their lines, with the warning that a phantom is no evidence."""
    sentences = [*(note for note in notes if note), *([] if evidence else ["phantom: no evidence"])]
    width_mm, body_mm = size_mm(figure)
    text = wrapped("; ".join(sentences), width_mm - 4)
    foot_mm = len(text.splitlines()) * LINE_MM + 2.0
    height_mm = body_mm + foot_mm
    figure.set_size_inches(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH)
    figure.text(2 / width_mm, 1 / height_mm, text, fontsize=SMALL, color=EDGE, va="bottom", ha="left")
    if (engine := figure.get_layout_engine()) is not None:
        engine.set(rect=(0.0, foot_mm / height_mm, 1.0, body_mm / height_mm))  # pyright: ignore[reportCallIssue]


def size_mm(figure: Figure) -> tuple[float, float]:
    """Return width and height of a figure."""
    width, height = figure.get_size_inches()
    return MM_PER_INCH * float(width), MM_PER_INCH * float(height)


def cases_text(count: int) -> str:
    """Return 'n = 75 cases'."""
    return f"n = {count} case" + ("" if count == 1 else "s")


@dataclass(frozen=True, slots=True)
class Rows:
    """One lying row a method, the first on top: names broken into lines, centres and whole height in mm."""

    names: tuple[str, ...]
    centres: tuple[float, ...]
    height_mm: float

    def mark(self, axes: Axes) -> None:
        """Make the y axis one of mm from the top, with the names at their rows."""
        axes.set_yticks(self.centres, self.names)
        axes.set_ylim(self.height_mm, 0)
        axes.tick_params(axis="y", length=0)


def method_rows(labels: Sequence[str], width_mm: float, least_mm: float = 5.0) -> Rows:
    """Return rows for these labels, each as high as its name needs in `width_mm`, at least `least_mm`."""
    names = tuple(wrapped(label, width_mm) for label in labels)
    heights = [max(least_mm, 1.2 + LINE_MM * len(name.splitlines())) for name in names]
    ends = list(accumulate(heights))
    centres = tuple(end - height / 2 for end, height in zip(ends, heights, strict=True))
    return Rows(names, centres, ends[-1])


def jitter(count: int, spread: float) -> list[float]:
    """Return offsets within -spread to spread, even and the same each time (multiples of the golden ratio)."""
    return [spread * (2 * ((i + 1) * 0.6180339887498949 % 1.0) - 1) for i in range(count)]


def _pieces(text: str) -> list[str]:
    """Cut a text after each place where a line may end."""
    pieces = [""]
    for before, letter in zip(" " + text, text, strict=False):
        if (letter == " " and before != " ") or before in "-_/" or letter == "(":
            pieces.append("")
        pieces[-1] += letter
    return [piece for piece in pieces if piece]


def _cut(text: str, width_mm: float, size: float) -> list[str]:
    """Cut a text where its beginning just fits."""
    end = next((i for i in range(2, len(text)) if text_width_mm(text[:i], size) > width_mm), len(text)) - 1
    return [text[: max(end, 1)], text[max(end, 1) :]]
