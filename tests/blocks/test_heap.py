"""Memory that is kept from step to step, and given back at the end."""

import ctypes
import os
import resource
import sys
from pathlib import Path

import pytest
import torch

from unseg_bench.blocks.heap import held_heap

PIECES, FLOATS = 6, 5 << 20
PAGES = PIECES * FLOATS * 4 // resource.getpagesize()

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt") or "LD_PRELOAD" in os.environ,
    reason="the allocator is not glibc's",
)


def step():
    """Fill 120 MiB in pieces of 20 and free them; return the page faults that it took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [torch.empty(FLOATS).fill_(1.0) for _ in range(PIECES)]
    del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_a_step_finds_the_memory_of_those_before():
    with held_heap():
        for _ in range(4):
            step()
        assert step() < PAGES / 50
        kept = resident_pages()
    assert kept - resident_pages() > PAGES * 0.9, "what was kept is given back on leaving"


def fail_within(kept):
    with held_heap():
        step()
        kept.append(resident_pages())
        raise ZeroDivisionError


def test_it_is_given_back_after_an_error():
    kept = []
    with pytest.raises(ZeroDivisionError):
        fail_within(kept)
    assert kept[0] - resident_pages() > PAGES * 0.9
