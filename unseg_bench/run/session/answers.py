"""What a method must answer, and the errors where it does not: the same in every session."""

import numpy as np

from unseg_bench.errors import RunError
from unseg_bench.plugins.determinism import explain_failure


def call_failed(title: str, what: str, kind: str, error: Exception) -> RunError:
    """Return the error of a `fit` or `expect` that raised something of type `kind`."""
    return RunError(f"{title}: {what} failed with {explain_failure(kind, error)}")


def unlike_mask(mask: object, shape: tuple[int, ...] | None) -> str | None:
    """Say what a method returned where that is no bool array (of this shape, unless it is None); None: it is one."""
    if not isinstance(mask, np.ndarray):
        return type(mask).__name__
    if mask.dtype == np.bool_ and shape in {None, mask.shape}:
        return None
    return f"{mask.dtype} of shape {mask.shape}"


def wrong_mask(name: str, shape: tuple[int, ...], found: str) -> RunError:
    """Return the error of a `segment` that returned something else than a mask."""
    return RunError(f"{name}.segment must return a bool array of shape {shape}, not {found}")
