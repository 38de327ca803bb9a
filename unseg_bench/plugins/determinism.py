"""`--deterministic`: the same bits on a GPU as well, or an error that names the operation that cannot."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager

from unseg_bench.errors import RunError

_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""Without it cuBLAS may choose another way of summing in another run."""
_COMPLAINT = re.compile(r"(\S+) does not have a deterministic implementation|Deterministic behavior was enabled")
_asked = False


def is_deterministic() -> bool:
    """Whether only deterministic operations are allowed now; results of stages then have keys of their own."""
    return _asked


@contextmanager
def deterministic(asked: bool) -> Generator[None]:
    """Allow torch only operations that give the same bits each time while inside, if asked."""
    global _asked  # noqa: PLW0603 - torch's own switch is global too
    if not asked:
        yield
        return
    os.environ.setdefault(*_WORKSPACE)
    import torch

    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    _asked = True
    try:
        yield
    finally:
        _asked = False
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = benchmark


def explain_failure(kind: str, error: Exception) -> str:
    """Return an exception in words; of an operation that cannot be deterministic, its name and the remedy."""
    said = f"{kind}: {error}"
    if not (found := _COMPLAINT.search(str(error))):
        return said
    operation = found[1] or "an operation of cuBLAS"
    return (
        f"{operation} has no deterministic implementation on this device; run on the CPU (--device cpu), or without "
        "--deterministic"
    )


def call_failed(title: str, what: str, kind: str, error: Exception) -> RunError:
    """Return the error of a `fit`, `expect` or `explain` that raised something of type `kind`."""
    return RunError(f"{title}: {what} failed with {explain_failure(kind, error)}")
