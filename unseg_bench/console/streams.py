"""The two streams: results to stdout, all else to stderr. Text from elsewhere is shown as text."""

import codecs
import io
import json
import math
import os
import re
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from unseg_bench.data.paths import home_dir
from unseg_bench.data.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STDOUT, _STDERR = 1, 2
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
"""What JSON may hold as it is and a terminal obeys, or cannot encode."""
_IN_ANOTHER_WAY = "unseg-bench"
_PLAIN = dict(zip("±–−…†‡×≥≤✓✗", ("+-", "-", "-", "...", "+", "++", "x", ">=", "<=", "ok", "no"), strict=True))
"""What we print beyond ASCII, for a terminal that lacks it."""
_for_json: list[TextIO | None] = [None]
"""Where JSON goes, the last one; None is stdout as it is."""


def stdout() -> "Console":
    """Return a console on stdout."""
    from unseg_bench.console.plain import PlainConsole

    return PlainConsole(stderr=False)


def stderr() -> "Console":
    """Return a console on stderr."""
    from unseg_bench.console.plain import PlainConsole

    return PlainConsole(stderr=True)


def say(text: str = "") -> None:
    """Print lines on stdout, never wrapped; control characters are written out."""
    _write(sys.stdout, text)


def warn(text: str) -> None:
    """Print lines on stderr, never wrapped; control characters are written out."""
    _write(sys.stderr, text)


def warn_of(error: Exception) -> None:
    """Print what costs one run and not the whole call as one line on stderr."""
    warn(f"Warning: {' '.join(str(error).split())}")


def _write(stream: TextIO, text: str) -> None:
    stream.write(visible(text, keep="\n") + "\n")
    stream.flush()


def prepare_streams() -> None:
    """Let stdout and stderr take every character: one that their encoding lacks is written in another way."""
    codecs.register_error(_IN_ANOTHER_WAY, _in_another_way)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_IN_ANOTHER_WAY)


def _in_another_way(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - streams are written to
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, ascii(letter)[1:-1]) for letter in lacking), error.end


def print_error(message: str) -> None:
    """Print an error as one line on stderr."""
    warn(f"Error: {' '.join(message.split())}")


def print_json(value: object) -> None:
    """Print `value` as indented JSON on stdout; numbers that JSON lacks become null."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    stream = _for_json[-1] or sys.stdout
    stream.write(_UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n")
    stream.flush()


@contextmanager
def json_alone() -> Generator[None]:
    """Keep stdout for `print_json`; whatever else is printed inside (plugins, C libraries, children) is on stderr."""
    shown = sys.stdout
    shown.flush()
    real = os.dup(_STDOUT)
    results = os.fdopen(real, "w", encoding="utf-8", closefd=False) if _is_real(shown) else shown
    os.dup2(_STDERR, _STDOUT)
    _for_json.append(results)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = shown
        _for_json.pop()
        os.dup2(real, _STDOUT)
        os.close(real)


def _is_real(stream: TextIO) -> bool:
    """Whether a stream leads to the process's stdout, and is no stand-in as tests have."""
    try:
        return stream.fileno() == _STDOUT
    except OSError:
        return False


def new_table(*columns: str, right: tuple[str, ...] = ()) -> "Table":
    """Return an empty table without lines; columns named in `right` are aligned to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def path_text(path: Path) -> str:
    """Return a path as short as it can be typed: relative below the current folder, else with '~' for the home."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
    for base, prefix in ((Path.cwd(), ""), (home_dir(), "~/")):
        if base is not None and absolute.is_relative_to(base) and absolute != base:
            return f"{prefix}{absolute.relative_to(base)}"
    return str(absolute)


def runs_option(runs: Path) -> str:
    """Return ' --runs DIR' as it can be pasted into a shell, '' for the default."""
    return "" if runs == Path("runs") else f" --runs {shell_text(runs)}"


def shell_text(path: Path) -> str:
    """Return a path as a shell takes it, with quotes where it needs them."""
    text = path_text(path)
    return f"~/{shlex.quote(text[2:])}" if text.startswith("~/") else shlex.quote(text)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever json can hold, and a little more
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
