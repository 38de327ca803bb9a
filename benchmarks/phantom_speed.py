"""Seconds that one phantom takes on one core, at 2 mm and at 1 mm.

    OMP_NUM_THREADS=1 python benchmarks/phantom_speed.py

Processor time is what counts: on a busy machine the clock on the wall says more about the neighbours.
"""

import argparse
import time
from statistics import median

from unseg_bench.blocks.phantom.generator import generate_phantom, tumour_volumes_ml


def measure(spacing_mm: float, count: int) -> tuple[float, float]:
    """Median processor and wall seconds over `count` phantoms with tumours of 3 to 150 ml."""
    processor, wall = [], []
    for case, volume_ml in enumerate(tumour_volumes_ml(count, seed=0)):
        before = time.process_time(), time.perf_counter()
        generate_phantom(cohort_seed=0, case_index=case, tumour_ml=float(volume_ml), spacing_mm=spacing_mm)
        processor.append(time.process_time() - before[0])
        wall.append(time.perf_counter() - before[1])
    return median(processor), median(wall)


def main() -> None:
    """Print the time to load the templates, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12, help="phantoms per voxel size")
    count = parser.parse_args().count
    before = time.process_time(), time.perf_counter()
    generate_phantom(cohort_seed=0, case_index=0, tumour_ml=None)
    loaded = time.process_time() - before[0], time.perf_counter() - before[1]
    print(f"{'':28}{'processor s':>12}{'wall s':>10}{'asked':>10}")
    print(f"{'first phantom with imports':28}{loaded[0]:12.2f}{loaded[1]:10.2f}{'':>10}")
    for spacing_mm, asked in ((2.0, 0.5), (1.0, 3.0)):
        processor, wall = measure(spacing_mm, count)
        print(f"{f'one phantom at {spacing_mm:g} mm':28}{processor:12.2f}{wall:10.2f}{f'< {asked:g}':>10}")


if __name__ == "__main__":
    main()
