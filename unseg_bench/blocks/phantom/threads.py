"""One thread for what makes a phantom: the same bits whatever the process allows, and no crowding of busy cores."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def one_thread() -> Generator[None]:
    """Hold the BLAS behind numpy to one thread, and give back what was set before."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
