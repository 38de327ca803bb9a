"""Write the tables of docs/methods.md: what a paper says, what its code does, what is here, where in the source.

They come from the files `*facts.toml` beside the methods. python scripts/method_facts.py
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "methods.md"
PLACE = re.compile(r"(<!-- facts: ([\w-]+) -->\n).*?(<!-- end of facts -->\n)", re.DOTALL)


def read_facts() -> dict[str, Any]:
    """Return what all files say, by the name of the method."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "methods").rglob("*facts.toml")):
        found |= tomllib.loads(path.read_text(encoding="utf-8"))
    return found


def table(told: dict[str, Any]) -> str:
    """Return the table of one method, with its two sources above it."""
    presets = told["presets"]
    heads = ["step", "paper", "authors' code", "option", *(f"preset `{preset}`" for preset in presets), "source"]
    rows = [_row(fact, len(presets)) for fact in told["fact"]]
    lines = [
        f"Paper: {told['paper']}. Code: {told['code']}. In brackets: whom a value follows.",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def written(guide: str) -> str:
    """Return the guide with its tables written anew."""
    facts = read_facts()
    return PLACE.sub(lambda place: f"{place[1]}\n{table(facts[place[2]])}\n{place[3]}", guide)


def _row(fact: dict[str, Any], presets: int) -> list[str]:
    options: dict[str, list[Any]] = fact["options"]
    cells = [
        f"{', '.join(f'`{_text(values[number])}`' for values in options.values())} ({fact['follows'][number]})".strip()
        for number in range(presets)
    ]
    path, name = fact["where"].split(":")
    note = f". {fact['note']}" if "note" in fact else ""
    return [
        f"**{fact['step']}**{note}",
        fact["paper"] or "–",
        fact["code"] or "–",
        ", ".join(f"`{option}`" for option in options) or "–",
        *cells,
        f"[`{name}`](../{path})",
    ]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value != round(value) else f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    GUIDE.write_text(written(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
