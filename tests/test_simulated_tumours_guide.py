"""The guide on simulated tumours: its code runs as it stands, and its figures are the options' defaults."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from unseg_bench.blocks.simulated_tumours.options import SimulatorOptions

DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDE = (DOCS / "simulated-tumours.md").read_text()
FLAT = " ".join(GUIDE.split())


def test_its_code_does_what_it_says() -> None:
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "simulated-tumours.md", "exec"), names)
    found, brain = names["found"], names["brain"]
    assert names["volume_ml"] == pytest.approx(found.mask.sum() * 0.064)
    assert 15 < names["volume_ml"] < 70
    np.testing.assert_array_equal(found.mixed, np.where(found.mask, found.tumour, found.normal))
    assert np.abs(names["back"] - names["z_scored"]).max() < 1e-5
    assert (names["positive"][brain] < 0).mean() < 0.006
    away_mm = ndimage.distance_transform_edt(~names["ill"].reference) * 4
    assert not names["difference"][away_mm > 16].any()
    assert names["difference"].any()


def test_its_figures_are_the_defaults() -> None:
    options = SimulatorOptions()
    for said in (
        "{octaves[0]} to {octaves[1]} octaves",
        "{volume_ml[0]:g} to {volume_ml[1]:g} ml",
        "ratio {axis_ratio[0]:g} to {axis_ratio[1]:g}",
        "1 + {roughness:g} * S",
        "{height[0]:g} to {height[1]:g} of its height",
        "{from_front[0]:g} to {from_front[1]:g} from the front",
        "{from_midline[0]:g} to {from_midline[1]:g} of its width",
        "up to {elastic_mm:g} mm",
        "SD up to {blur_mm[1]:g} mm",
        "{brightness[0]:g} to {brightness[1]:g} times",
        "sigma of {opacity[0]:g} to {opacity[1]:g}",
    ):
        assert said.format(**options.model_dump()) in FLAT, said


def test_its_picture_is_there_and_small() -> None:
    (name,) = re.findall(r"!\[.*?\]\((.*?)\)", GUIDE)
    assert (DOCS / name).stat().st_size < 200_000
    with Image.open(DOCS / name) as picture:
        assert picture.size == (6 * 150, 4 * 180)
