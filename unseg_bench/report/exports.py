"""A comparison as a file for a paper or another program; the suffix says which. Nothing is computed here."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from unseg_bench.compare.comparison import Comparison
from unseg_bench.data.atomic import write_text
from unseg_bench.errors import SettingsError


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


def _markdown(comparison: Comparison, path: Path) -> None:
    from unseg_bench.report.markdown import markdown

    write_text(path, markdown(comparison))


def _latex(comparison: Comparison, path: Path) -> None:
    from unseg_bench.report.latex import latex

    write_text(path, latex(comparison))


def _json(comparison: Comparison, path: Path) -> None:
    write_text(path, comparison.to_json())


def _csv(comparison: Comparison, path: Path) -> None:
    from unseg_bench.report.case_rows import long_text

    write_text(path, long_text(comparison))


def _challenger(comparison: Comparison, path: Path) -> None:
    from unseg_bench.report.case_rows import challenger_text

    write_text(path, challenger_text(comparison))


def _parquet(comparison: Comparison, path: Path) -> None:
    from unseg_bench.report.case_rows import write_parquet

    write_parquet(comparison, path)


def _html(comparison: Comparison, path: Path) -> None:
    from unseg_bench.report.page import write_page

    write_page(comparison, path)


_WRITERS: dict[str, Callable[[Comparison, Path], None]] = {
    ".md": _markdown,
    ".tex": _latex,
    ".html": _html,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".challenger.csv": _challenger,
}
