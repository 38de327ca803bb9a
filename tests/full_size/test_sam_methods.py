"""SAM without training at full size: `sam-prompts`, and SaLIP with its ViT-H.

Lowered for SaLIP, whose every slice costs a pass of ViT-H, four more with its layer of crops, and hundreds of points:

- `pictures.every`: one slice is looked at, or, where settings are searched for, two, as one is left out of the search
- `everything.points_per_side`: 4 by 4 points
- thresholds of predicted IoU and of stability: none, since masks of a random SAM reach none
- ViT-H in `paper` alone, without the layer of crops; that is run in `flair`, with ViT-B, as is the search
- the search: one draw, one case, one slice
"""

from pathlib import Path

import pytest

from tests.full_size.cohort import TUMOUR_SLICES
from tests.full_size.conftest import Run
from tests.full_size.presets import presets_of
from tests.full_size.weights import CLIP_NAME, PARAMETERS

EVERY_MASK = ("everything.pred_iou_thresh=0", "everything.stability_score_thresh=0", "everything.points_per_side=4")
SEARCH = ("search.draws=1", "search.cases=1", "search.slices=1", "search.points_per_side=[4]")
LOWERED = {
    "paper": ("pictures.every=7", "everything.crop_n_layers=0", *EVERY_MASK),
    "flair": ("pictures.every=7", *EVERY_MASK),
    "reference-code": (
        *("pictures.every=4", "everything.crop_n_layers=0", *SEARCH),
        *("search.pred_iou_thresh=[0]", "search.stability_score_thresh=[0]"),
    ),
}


@pytest.mark.slow
def test_sam_prompts(run: Run, sam: Path) -> None:
    """Nothing is lowered."""
    assert presets_of("sam-prompts") == ["paper"]
    done = run("sam-prompts", "paper", f"sam.weights={sam}", peak_gb=2.5)
    assert done.models == {"sam": PARAMETERS["vit_b"]}
    assert done.inputs("FastEncoder") == {(1, 3, 1024, 1024)}
    assert len(done.watched["boxes"]) == len(TUMOUR_SLICES)
    assert done.watched["labels"] == [[1, 0, 0, 0, 0]] * len(TUMOUR_SLICES)
    assert done.prompted_in_frame()
    assert set(done.mask.any((0, 1)).nonzero()[0]) <= set(TUMOUR_SLICES)


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets_of("salip"))
def test_salip(run: Run, plain_clip: Path, sam: Path, sam_vit_h: Path, preset: str) -> None:
    """ViT-H in `paper`; ViT-B in its place in the others."""
    model, weights = ("vit_h", sam_vit_h) if preset == "paper" else ("vit_b", sam)
    done = run(
        "salip",
        preset,
        *(f"sam.model={model}", f"sam.weights={weights}", f"clip.model={CLIP_NAME}", f"clip.pretrained={plain_clip}"),
        *LOWERED[preset],
        peak_gb=10,
    )
    assert done.models == {"clip": PARAMETERS["clip"], "sam": PARAMETERS[model]}
    assert done.inputs("FastEncoder") == {(1, 3, 1024, 1024)}
    assert done.prompted_in_frame()
