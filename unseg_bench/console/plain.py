"""Consoles of `rich` that take text as text: no markup in it, and no control characters from elsewhere."""

from typing import Any

from rich.console import Console
from rich.text import Text

from unseg_bench.data.visible import visible


class PlainConsole(Console):
    """A console that leaves numbers and paths uncoloured; strings, also cells of tables, are never markup."""

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - as the base class has them
        super().__init__(highlight=False, emoji=False, markup=False, **more)

    def render_str(self, text: str, **more: Any) -> Text:  # noqa: ANN401 - as the base class has them
        """Return a string as it can be shown."""
        return super().render_str(visible(text, keep="\n"), **more)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return parts in one line, each a text or a text with its style."""
    return Text.assemble(
        *((visible(part), "") if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts)
    )
