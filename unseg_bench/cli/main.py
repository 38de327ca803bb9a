"""The console script `ubench`."""

import sys
from collections.abc import Sequence
from importlib import import_module

from unseg_bench.cli.app import app
from unseg_bench.cli.text import print_error
from unseg_bench.errors import UbenchError

DEBUG = "--debug"
MODULES = (
    "run",
    "compare",
    "runs",
    "new_method",
    "check",
    "methods",
    "datasets",
    "data",
    "weights",
    "clean",
    "info",
)
"""Modules of this room that bring commands, in the order of the help."""

for _module in MODULES:
    import_module(f"unseg_bench.cli.{_module}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done. 1: a run, check or score failed. 2: bad input. 130: Ctrl-C. `--debug` anywhere lets errors through.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in given
    try:
        app([argument for argument in given if argument != DEBUG], prog_name="ubench")
    except UbenchError as error:
        if debug:
            raise
        print_error(str(error))
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except Exception as error:
        if debug:
            raise
        print_error(f"{type(error).__name__}: {error} (unexpected; run again with --debug for the traceback)")
        return 1
    return 0
