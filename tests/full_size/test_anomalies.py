"""The methods that learn normal slices, at full size; where the preset leaves it open, CLIP says which are normal.

Lowered: epochs, steps and steps of a fit, and with them the warm-up of a constraint, which must begin within the
training; a batch of two, as four normal slices are learned from, and incomplete batches are left out. Sim2Real's cube
is 128 x 128 x 16: stretched to 128 slices, seven would cost eight times as much and show no more.
"""

from pathlib import Path

import pytest

from tests.full_size.conftest import Run
from tests.full_size.presets import presets_of
from tests.full_size.weights import CLIP_NAME

WARM_UP = {"reference-code-2022": "loss.warm_up_epochs=0"}
VAES = {"2022": 20_274_977, "2021": 14_547_649}


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("amcons"))
def test_amcons(run: Run, clip: Path, preset: str) -> None:
    done = run("amcons", preset, *_by(clip, preset), "training.epochs=2", "training.batch=2", peak_gb=3)
    assert done.parameters("ConstrainedVae") == VAES["2022"]
    assert {shape[1:] for shape in done.inputs("ConstrainedVae")} == {(224, 224)}


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("gradcamcons"))
def test_gradcamcons(run: Run, clip: Path, preset: str) -> None:
    warm_up = WARM_UP.get(preset, "loss.warm_up_steps=1")
    lowered = ("training.epochs=2", "training.batch=2", warm_up)
    done = run("gradcamcons", preset, *_by(clip, preset), *lowered, peak_gb=3)
    assert done.parameters("ConstrainedVae") == VAES["2022" if preset == "reference-code-2022" else "2021"]
    assert {shape[1:] for shape in done.inputs("ConstrainedVae")} == {(224, 224)}


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("implicit-field"))
def test_implicit_field(run: Run, clip: Path, preset: str) -> None:
    done = run("implicit-field", preset, *_by(clip, "paper"), "training.steps=2", "fit.steps=[1,1]", peak_gb=3.5)
    assert done.parameters("Field") == 1_847_698
    drawn = {tuple(places) for _, places in done.watched["networks"]["Field"]["inputs"]}
    assert {(1, 16_384, 3), (1, 10_000, 3), (1, 50_000, 3)} <= drawn


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("sim2real"))
def test_sim2real(run: Run, clip: Path, preset: str) -> None:
    adaptation = [] if preset == "reference-code" else ["adaptation.steps=1"]
    lowered = ("grid.size=[128,128,16]", "training.steps=1", *adaptation)
    done = run("sim2real", preset, *_by(clip, "paper"), *lowered, peak_gb=8)
    assert done.parameters("RestoringUNet") == 19_073_795
    assert {shape[1:] for shape in done.inputs("RestoringUNet")} == {(1, 128, 128, 16)}
    assert (2, 1, 128, 128, 16) in done.inputs("RestoringUNet")


def _by(clip: Path, preset: str) -> list[str]:
    """CLIP for the presets that ask it; the others read the normal slices off the masks."""
    if preset != "paper":
        return []
    return [f"normals.clip.model={CLIP_NAME}", f"normals.clip.pretrained={clip}"]
