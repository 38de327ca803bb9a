"""Options of methods and data sets as people read them."""

import json
from typing import TYPE_CHECKING, Any

from unseg_bench.console.streams import new_table

if TYPE_CHECKING:
    from rich.console import Console


def print_options(console: "Console", options: list[dict[str, Any]], flag: str) -> None:
    """Print a table of options, each with its default and what it means."""
    from unseg_bench.console.plain import styled

    if not options:
        console.print("no options")
        return
    table = new_table(f"option ({flag})", "default", "type and meaning")
    table.columns[0].no_wrap = True
    for option in options:
        described = f"  {option['description']}" if option["description"] else ""
        table.add_row(option["name"], _short(option["default"]), styled((option["type"], "dim"), described))
    console.print(table)


def value_text(value: object) -> str:
    """Return a value as `--set` takes it: text as it is, the rest as JSON (null for none)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(value: object, most: int = 26) -> str:
    text = value_text(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
