"""What both ends of the line agree on: how errors are written as JSON."""

import traceback
from subprocess import CalledProcessError
from typing import Any, cast

from unseg_bench import errors
from unseg_bench.errors import UbenchError

PRINTED = " It printed: "
"""Before what a program said of its failure."""


class Thrown(Exception):  # noqa: N818 - it stands for an exception of any name
    """An exception of the method, of whatever type, as its process told of it: `kind` is its type's name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def describe_error(error: BaseException) -> dict[str, str]:
    """Return an exception as JSON; of a UbenchError, `kind` is the nearest type that this package defines."""
    kinds = [base.__name__ for base in type(error).__mro__ if base.__module__ == errors.__name__]
    return {
        "kind": kinds[0] if kinds else type(error).__name__,
        "ubench": "yes" if kinds else "",
        "message": str(error) + _said_by_program(error),
        "trace": "".join(traceback.format_exception(error)),
    }


def _said_by_program(error: BaseException) -> str:
    """Return the end of what a failed program wrote to stderr, where that was caught: why it failed."""
    caught: object = error.stderr if isinstance(error, CalledProcessError) else None
    text = caught.decode(errors="replace") if isinstance(caught, bytes) else str(caught or "")
    return PRINTED + " | ".join(text.split("\n"))[-300:].strip(" |") if text.strip() else ""


def kind_of(error: Exception) -> str:
    """Return the name of an exception's type, as it was where it was raised."""
    return error.kind if isinstance(error, Thrown) else type(error).__name__


def revive_error(described: dict[str, Any]) -> Exception:
    """Return the exception that was described: a UbenchError of the same type, else Thrown; its trace is a note."""
    kind, message = str(described["kind"]), str(described["message"])
    found: object = getattr(errors, kind, None)
    known = described.get("ubench") and isinstance(found, type) and issubclass(found, UbenchError)
    error = cast("type[UbenchError]", found)(message) if known else Thrown(kind, message)
    error.add_note(str(described.get("trace", "")))
    return error
