"""How many threads torch computes with: the same number whatever of a run comes from the cache.

By default torch takes one a hyper-thread. Whatever trains a network or fills one with weights calls `use_threads`, so
that no network computes with another number because nothing was trained before it in its process.
"""

import os

from unseg_bench.cpus import physical_cores


def use_threads() -> int:
    """Let torch compute on every physical core this process may use, unless OMP_NUM_THREADS says otherwise.

    Returns the number of threads. Results are equal bit for bit only between runs with the same number.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(physical_cores())
    return torch.get_num_threads()
