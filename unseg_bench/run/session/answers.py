"""The errors of a method that does not answer as it must: the same in every session."""

from unseg_bench.errors import RunError
from unseg_bench.plugins.determinism import explain_failure


def call_failed(title: str, what: str, kind: str, error: Exception) -> RunError:
    """Return the error of a `fit` or `expect` that raised something of type `kind`."""
    return RunError(f"{title}: {what} failed with {explain_failure(kind, error)}")


def wrong_mask(name: str, shape: tuple[int, ...], found: str) -> RunError:
    """Return the error of a `segment` that returned something else than a mask."""
    return RunError(f"{name}.segment must return a bool array of shape {shape}, not {found}")
