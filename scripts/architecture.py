"""Draw docs/pictures/architecture.svg from the order of imports in pyproject.toml and the packages' own words.

python scripts/architecture.py
"""

import ast
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
BESIDE = ("unseg_bench.sandbox", "unseg_bench.blocks")
PLUGINS = ("methods", "datasets")
WAY = (
    "data set",
    "cases, split",
    "Method fit",
    "Method segment",
    "predictions",
    "scores.csv",
    "Comparison",
    "tables, figures, page",
)
WIDTH, HEIGHT, GAP, LEFT = 620, 46, 10, 20
SIDE = 300


def layers() -> list[str]:
    """Return the rooms from the top down, as the first contract of import-linter orders them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    first = project["tool"]["importlinter"]["contracts"][0]
    return [name for name in first["layers"] if "|" not in name]


def purpose(module: str) -> str:
    """Return the first sentence of a module's or package's docstring."""
    folder, _, rest = module.partition(".")
    base = ROOT / folder / rest.replace(".", "/")
    file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]


def box(x: int, y: int, width: int, name: str, text: str, lines: int = 2) -> str:
    """Return a box with a name and what it is for."""
    folded = wrap(text, (width - 110) * 10 // 66)[:lines] if text else []
    height = HEIGHT if lines == 2 else 18 + 16 * lines
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="#f4f6f8" stroke="#5a6b7b"/>',
        f'<text x="{x + 10}" y="{y + 19}" font-weight="bold">{escape(name)}</text>',
        *(
            f'<text x="{x + 100}" y="{y + 19 + 16 * number}" fill="#33404d">{escape(line)}</text>'
            for number, line in enumerate(folded)
        ),
    ]
    return "\n".join(parts)


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    """Return an arrow."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#5a6b7b" marker-end="url(#head)"/>'


def way_of_the_data(y: int, width: int) -> str:
    """Return the way that data takes as a row of steps."""
    step = width // len(WAY)
    parts = [f'<text x="{LEFT}" y="{y}" font-weight="bold">The way of the data</text>']
    for number, name in enumerate(WAY):
        x = LEFT + number * step
        words = wrap(name, 13)
        parts.append(
            f'<rect x="{x}" y="{y + 12}" width="{step - 18}" height="40" rx="5" fill="#e8f1ea" stroke="#4d7a58"/>'
        )
        parts += [
            f'<text x="{x + (step - 18) // 2}" y="{y + 30 + 15 * line + (8 if len(words) == 1 else 0)}" '
            f'text-anchor="middle">{escape(word)}</text>'
            for line, word in enumerate(words)
        ]
        if number < len(WAY) - 1:
            parts.append(arrow(x + step - 18, y + 32, x + step - 2, y + 32))
    return "\n".join(parts)


def draw() -> str:
    """Return the picture as SVG, the same text each time."""
    rooms, y, parts = layers(), 40, list[str]()
    parts.append(
        f'<text x="{LEFT}" y="24" font-weight="bold">Rooms: each imports those below it, never one above</text>'
    )
    for room in rooms:
        parts.append(box(LEFT, y, WIDTH, room.rpartition(".")[2], purpose(room)))
        y += HEIGHT + GAP
    side, top = LEFT + WIDTH + 40, 40
    parts.append(f'<text x="{side}" y="24" font-weight="bold">Beside them</text>')
    for name in (*BESIDE, *PLUGINS):
        parts.append(box(side, top, SIDE, name.rpartition(".")[2], purpose(name), lines=5))
        top += 18 + 16 * 5 + GAP
    whole = LEFT + WIDTH + 40 + SIDE + LEFT
    parts.append(way_of_the_data(y + 24, whole - LEFT))
    size = f'width="{whole}" height="{y + 90}" viewBox="0 0 {whole} {y + 90}"'
    head = (
        '<marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#5a6b7b"/></marker>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">\n'
        f"<title>The rooms of unseg-bench and the way of the data</title>\n<defs>{head}</defs>\n"
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw())
    print(f"wrote {PICTURE.relative_to(ROOT)}")
