"""The console script `ubench`."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module

import typer

from unseg_bench.cli.app import app
from unseg_bench.console.streams import json_alone, prepare_streams, print_error, warn
from unseg_bench.errors import UbenchError

DEBUG, JSON, HELP = "--debug", "--json", {"--help", "-h"}
MODULES = (
    "run",
    "score",
    "ablate",
    "sweep",
    "reproduce",
    "compare",
    "figures",
    "report",
    "listing",
    "show",
    "thresholds",
    "audit",
    "cases",
    "new_method",
    "check",
    "methods",
    "datasets",
    "data",
    "weights",
    "clean",
    "info",
)
"""Modules of this package that bring commands, in the order of the help."""
IMAGE = re.compile(r"unexpected extra argument.*\.nii\b")
QUOTES = "; the shell puts file names in the place of a pattern that has no quotes: '*/flair.nii.gz'"

for _module in MODULES:
    import_module(f"unseg_bench.cli.{_module}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done. 1: a run, check or score failed. 2: bad input. 130: Ctrl-C. `--debug` anywhere lets errors through.
    """
    prepare_streams()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files, and a notebook's own backend is not installed here
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != DEBUG]
    try:
        with json_alone() if JSON in words and not HELP & set(words) else nullcontext():
            return app(words or ["--help"], prog_name="ubench", standalone_mode=False) or 0
    except (SystemExit, BrokenPipeError) as end:
        return _end(end)
    except Exception as error:
        if DEBUG in given:
            raise
        return _explain(error)


def _explain(error: Exception) -> int:
    """Print an error in one line and return the exit code that belongs to it."""
    if isinstance(error, UbenchError):
        print_error(str(error))
        return error.exit_code
    if isinstance(error, typer.Abort):
        warn("stopped")
        return 1
    if (usage := getattr(error, "format_message", None)) is not None:
        print_error(usage() + (QUOTES if IMAGE.search(usage()) else ""))
        return int(getattr(error, "exit_code", 2))
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        print_error("a path begins with '~' and this user has no home folder; give the whole path, or set HOME")
        return 2
    if isinstance(error, OSError) and error.filename is not None:
        print_error(f"{error.filename}: {error.strerror}; see that it is what it should be and that you may use it")
        return 1
    print_error(f"{type(error).__name__}: {error} (unexpected; run again with --debug for the traceback)")
    return 1


def _end(end: SystemExit | BrokenPipeError) -> int:
    """Return the exit code of a command that ended itself, or whose reader went away (`ubench runs | head`)."""
    if isinstance(end, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return end.code if isinstance(end.code, int) else int(end.code is not None)
