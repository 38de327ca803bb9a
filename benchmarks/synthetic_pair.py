"""How good `synthetic` is on real tumours, and how fast: one line a case.

    OMP_NUM_THREADS=1 python benchmarks/synthetic_pair.py ../shared/data [--weights FILE]

Below the folder lie BraTS cases: `Flair_*.nii.gz` and `OTMultiClass.nii.gz`, or `flair` and `seg` in their names.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from unseg_bench_methods.synthetic.method import Synthetic
from unseg_bench_methods.synthetic.options import SyntheticOptions

from unseg_bench.data.nifti import read_image, read_labels
from unseg_bench.data.prepare import prepare
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.trial import TrialContext, TrialLabels, make_volume, tiny_cohort


def main() -> None:
    """Segment every case and print its DSC with the whole tumour."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="synthetic")
    arguments = parser.parse_args()
    method = Synthetic(SyntheticOptions(weights=arguments.weights))
    nobody = tiny_cohort("train", [])
    with tempfile.TemporaryDirectory() as folder:
        context = Noting(Path(folder), TrialLabels(Supervision.NONE, {}), nobody, seed=0)
        method.fit(nobody, nobody, context)
        rows = [measure(method, context, path) for path in images(arguments.data)]
    for name, dsc, confidence, seconds in rows:
        print(f"| {name} | {dsc:.3f} | {confidence:.2f} | {seconds:.1f} |")
    dsc, confidence, seconds = (np.mean([row[place] for row in rows]) for place in (1, 2, 3))
    print(f"| **mean** | {dsc:.3f} | {confidence:.2f} | {seconds:.1f} |")


class Noting(TrialContext):
    """Keeps what the method says of a case."""

    stated = 0.0

    def confidence(self, volume: Volume, value: float, parts: Mapping[str, float] | None = None) -> None:
        """Keep how sure the method is."""
        self.stated = value


def images(data: Path) -> list[Path]:
    """The FLAIR images below a folder."""
    return sorted([*data.rglob("Flair_*.nii.gz"), *data.rglob("*flair.nii.gz")])


def measure(method: Synthetic, context: Noting, path: Path) -> tuple[str, float, float, float]:
    """Name, DSC, the method's confidence, and the CPU seconds that segmenting took."""
    opened = read_image(path)
    image, brain, placement = prepare(opened)
    volume = make_volume(path.parent.name, image, brain, opened.spacing_mm)
    started = time.process_time()
    mask = method.segment(volume, context)
    seconds = time.process_time() - started
    reference = next(path.parent.glob("OTMultiClass.nii.gz"), None) or next(path.parent.glob("*seg.nii.gz"))
    truth = placement.take(read_labels(reference).data > 0)
    dsc = 2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth))
    return path.parent.name, float(dsc), context.stated, seconds


if __name__ == "__main__":
    main()
