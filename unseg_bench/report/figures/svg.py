"""A figure as SVG that may stand inside an HTML page beside others."""

import io
import re
from collections import Counter
from html import escape

from matplotlib.figure import Figure

from unseg_bench.report.figures.style import house_style

NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
"""Nothing that changes with the day or matplotlib's version."""


def figure_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Return a figure as one `<svg>` element without XML header, to be put into HTML as it is.

    Every id begins with `name`, which must be unique in the page; `title` and `description` are for those who hear the
    page. Text stays text. It prints at its size in points and shrinks with a narrow page.
    """
    buffer = io.StringIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    text = buffer.getvalue()
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
