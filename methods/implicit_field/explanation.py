"""What `ubench show RUN --case ID` draws of an implicit field."""

import numpy as np

from unseg_bench import Explanation, Image, Mask, Step, Volume

from .cube import from_cube
from .maps import Views


def explain_field(volume: Volume, views: Views, answer: Mask) -> Explanation:
    """Return the steps of one case, on its own grid."""
    cube, scan = views.fitted.scan.cube, views.fitted.scan
    highest = max(1, int(scan.classes[scan.brain].max(initial=1)))

    def classes(values: Image) -> Image:
        return np.clip(from_cube(values / np.float32(highest), cube, volume, "nearest"), 0.0, 1.0)

    def nats(values: Image) -> tuple[Image, float]:
        shown = from_cube(values, cube, volume)
        top = max(float(shown.max()), float(np.finfo(np.float32).tiny))
        return np.clip(shown / np.float32(top), 0.0, 1.0), top

    surprise, highest_surprise = nats(views.surprise)
    smoothed, highest_smoothed = nats(views.smoothed)
    # The background has the highest number and is drawn as the darkest class.
    own = classes(np.where(scan.brain, scan.classes, np.uint8(0)).astype(np.float32))
    decoded = np.where(views.decoded > highest, np.uint8(0), views.decoded).astype(np.float32)
    steps = [
        Step("intensity classes", heat=own, note=f"{highest + 1} in the brain, {cube.voxel_mm:.1f} mm voxels"),
        Step("what the field expects", heat=classes(decoded), note=f"cross-entropy {views.fitted.last:.2f} nats"),
        Step("cross-entropy", heat=surprise, note=f"highest {highest_surprise:.2f} nats"),
        Step("smoothed", heat=smoothed, note=f"highest {highest_smoothed:.2f} nats"),
        Step("mask", mask=answer),
    ]
    return Explanation(volume, steps)
