"""A comparison as a file for a paper or another program; the suffix says which. Nothing is computed here."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from unseg_bench.compare.comparison import Comparison
from unseg_bench.data.atomic import write_text
from unseg_bench.errors import SettingsError
from unseg_bench.report.case_rows import challenger_text, long_text, write_parquet
from unseg_bench.report.latex import latex
from unseg_bench.report.markdown import markdown


def write(comparison: Comparison, path: Path) -> None:
    """Write the comparison in the form that the suffix names, whole or not at all; an older file is replaced.

    .md, .tex: all tables with their notes; .html: one page; .json: `Comparison.to_json`; .csv, .parquet: a row a case
    and method; .challenger.csv: challengeR's form. Statistics are in it where the comparison has them.
    Raises: SettingsError as `check_path`; RunError for a full disk.
    """
    check_path(path)
    _WRITERS[_suffix(path)](comparison, path)


def check_path(path: Path) -> None:
    """Raise SettingsError, before anything is computed, for a suffix that is not known or needs what is not there."""
    suffix = _suffix(path)
    if suffix not in _WRITERS:
        raise SettingsError(f"{path}: what kind of file is this? Known endings: {', '.join(_WRITERS)}")
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; name a file in it")
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        raise SettingsError(f"{path}: Parquet needs pyarrow: pip install 'unseg-bench[parquet]'; or write a .csv")


def _suffix(path: Path) -> str:
    """The longest known ending of a file's name, else its own suffix."""
    name = path.name.lower()
    known = [suffix for suffix in _WRITERS if name.endswith(suffix) and name != suffix]
    return max(known, key=len, default=path.suffix)


def _html(comparison: Comparison, path: Path) -> None:
    """Write the page; drawing loads so much that it waits until one is asked for."""
    from unseg_bench.report.page import write_page

    write_page(comparison, path)


def _text(form: Callable[[Comparison], str]) -> Callable[[Comparison, Path], None]:
    return lambda comparison, path: write_text(path, form(comparison))


_WRITERS: dict[str, Callable[[Comparison, Path], None]] = {
    ".md": _text(markdown),
    ".tex": _text(latex),
    ".html": _html,
    ".json": _text(Comparison.to_json),
    ".csv": _text(long_text),
    ".parquet": write_parquet,
    ".challenger.csv": _text(challenger_text),
}
