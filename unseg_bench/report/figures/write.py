"""Figures as files: the same bytes for the same comparison, whenever and wherever they are written."""

import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from unseg_bench.compare.comparison import Comparison
from unseg_bench.data.atomic import make_folder, whole_file
from unseg_bench.errors import DataError, ScoreError, SettingsError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.report.figures.kinds import FigureKind, FigureSettings
from unseg_bench.report.figures.registry import FIGURES
from unseg_bench.report.figures.style import house_style

METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""The formats, and what of their metadata would change with the day or matplotlib's version: None leaves it out."""


@dataclass(slots=True)
class Written:
    """What was written: (figure, its files), and why the others could not be drawn."""

    figures: list[tuple[FigureKind, list[Path]]] = field(default_factory=list[tuple[FigureKind, list[Path]]])
    not_drawn: dict[str, str] = field(default_factory=dict[str, str])


def figure_bytes(figure: Figure, file_format: str) -> bytes:
    """Return a figure as a file of one of the formats in METADATA."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format=file_format, metadata=METADATA[file_format])
    return buffer.getvalue()


def write_figures(
    comparison: Comparison,
    settings: FigureSettings,
    folder: Path,
    names: Sequence[str] = (),
    formats: Sequence[str] = ("svg", "pdf"),
) -> Written:
    """Write NAME.FORMAT into the folder for the named figures, without names for all that can be drawn.

    A figure of DSC is drawn of every metric that was asked for too.

    Raises: SettingsError for an unknown name or format; for a named figure ScoreError saying why it cannot be drawn;
    DataError where the folder cannot be written.
    """
    _check("only", "figure", names, FIGURES)
    _check("format", "format", formats, METADATA)
    written = Written()
    for kind in (kind for name in dict.fromkeys(names) or FIGURES for kind in FIGURES[name].each(comparison)):
        try:
            figure = kind.draw(comparison, settings)
        except ScoreError as error:
            if names:
                raise
            written.not_drawn[kind.name] = str(error)
            continue
        written.figures.append((kind, _write(figure, folder, kind.name, formats)))
    return written


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's suffix names, whole or not at all. Raises: DataError."""
    _check("format", "format", [path.suffix[1:]], METADATA)
    try:
        make_folder(path.parent)
        with whole_file(path) as temporary:
            temporary.write_bytes(figure_bytes(figure, path.suffix[1:]))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); choose another place for the figure") from None


def _write(figure: Figure, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    paths = [folder / f"{name}.{file_format}" for file_format in dict.fromkeys(formats)]
    try:
        make_folder(folder)
        for path in paths:
            with whole_file(path) as temporary:
                temporary.write_bytes(figure_bytes(figure, path.suffix[1:]))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); choose another folder with --out") from None
    return paths


def _check(option: str, what: str, given: Sequence[str], known: Collection[str]) -> None:
    for word in given:
        if word not in known:
            raise SettingsError(f"--{option} {word}: there is no such {what}.{did_you_mean(word, known)}")


def figure_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Return a figure as one `<svg>` element without XML header, to be put into HTML as it is.

    Every id begins with `name`, which must be unique in the page; `title` and `description` are for those who hear the
    page. Text stays text. It prints at its size in points and shrinks with a narrow page.
    """
    text = figure_bytes(figure, "svg").decode()
    svg = text[text.index("<svg") :].rstrip()
    # Its only style rule would hold for the whole page; as attributes of the root it holds for this figure.
    svg = re.sub(r"<style\b.*?</style>", "", svg, count=1, flags=re.DOTALL)
    seen: Counter[str] = Counter()
    svg = re.sub(r"<[^<>]+>", lambda tag: _prefixed(_numbered(tag[0], seen), name), svg)
    return re.sub(r"^<svg[^>]*>", lambda tag: _opening(tag[0], name, title, description), svg)


def _numbered(tag: str, seen: Counter[str]) -> str:
    """Number an id that came before; what others refer to (clips, markers, glyphs) matplotlib names once only."""
    found = re.search(r' id="([^"]+)"', tag)
    if found is None:
        return tag
    seen[found[1]] += 1
    return tag if seen[found[1]] == 1 else tag.replace(found[0], f' id="{found[1]}-{seen[found[1]]}"')


def _prefixed(tag: str, name: str) -> str:
    """Put the name before the id of a tag and before what it refers to; attribute values hold no quotes or '<'."""
    tag = re.sub(r'( id=")([^"]+")', rf"\1{name}-\2", tag)
    tag = re.sub(r'(xlink:href="#)([^"]+")', rf"\1{name}-\2", tag)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", tag)


def _opening(tag: str, name: str, title: str, description: str) -> str:
    """Return the root's opening tag with role, title and description."""
    more = (
        f' role="img" aria-labelledby="{name}-title {name}-desc" stroke-linejoin="round" stroke-linecap="butt"'
        ' style="max-width: 100%; height: auto"'
    )
    described = f'<title id="{name}-title">{escape(title)}</title>\n<desc id="{name}-desc">{escape(description)}</desc>'
    return f"{tag[:-1]}{more}>\n{described}"
