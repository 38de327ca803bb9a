"""Memory that a training frees is kept for its next step, instead of going to the system and back page by page."""

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt` (malloc.h)."""
_LARGEST_MMAP_THRESHOLD = 32 << 20
_NEVER = -1


@contextmanager
def held_heap() -> Generator[None]:
    """Let glibc's allocator keep freed memory inside; it is given back on leaving. Elsewhere nothing changes.

    A step frees its activations and the next one asks for the same sizes. By default glibc returns them to the system
    whenever enough lies free at the heap's end, which is a matter of luck; fetching them again costs a page fault for
    every 4 KiB (seen with a small residual network: 0 to 10,000 faults a step, up to a quarter of its processor time).
    Pieces above 32 MiB, the most that glibc allows for, go to the system at once as ever. The settings are the
    process's: on leaving they are what glibc's own adaptation ends with (32 and 64 MiB).
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
        libc.malloc_trim(0)
