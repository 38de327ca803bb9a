import subprocess
import sys

import pytest
from pydantic import ValidationError
from unseg_bench_methods.clisc.method import Clisc
from unseg_bench_methods.clisc.options import CliscOptions

from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.presets import assign, preset_options


def test_presets_are_options_and_paper_is_the_default() -> None:
    paper = preset_options(Clisc, "paper")
    assert paper == CliscOptions()
    assert isinstance(paper, CliscOptions)
    assert (paper.clip.model, paper.clip.pretrained, paper.sam.model) == ("ViT-B-32", "openai", "vit_b")
    chosen = paper.classifier
    assert (chosen.network, chosen.learning_rate, chosen.batch, chosen.epochs) == ("resnet50", 1e-4, 8, 200)
    assert (paper.amda.alpha, paper.s3f.beta, paper.unet.channels) == (20.0, 20.0, (16, 32, 64, 128, 256))
    assert (paper.unet.patch, paper.unet.learning_rate, paper.unet.batch, paper.unet.epochs) == (
        (128,) * 3,
        0.01,
        2,
        400,
    )
    for name in Clisc.presets:
        options = preset_options(Clisc, name)
        assert CliscOptions.model_validate_json(options.model_dump_json()) == options
    with pytest.raises(ValidationError):
        CliscOptions.model_validate({"amda": {"aplha": 10}})


def test_reference_code_has_all_four_uses_of_labels_and_each_can_be_switched_off() -> None:
    options = preset_options(Clisc, "reference-code")
    assert Clisc(options).supervision is Supervision.SLICE_LABELS_AND_VALIDATION_MASKS
    off = {
        "cam.true_slices": (False, Supervision.VALIDATION_MASKS),
        "region.rule": ("fixed", Supervision.SLICE_LABELS_AND_VALIDATION_MASKS),
        "classifier.keep": ("last", Supervision.SLICE_LABELS_AND_VALIDATION_MASKS),
        "unet.keep": ("last", Supervision.SLICE_LABELS_AND_VALIDATION_MASKS),
    }
    values = options.model_dump()
    for name, (value, left) in off.items():
        one = options.model_dump()
        assign(one, name, value)
        assert Clisc(CliscOptions.model_validate(one)).supervision is left
        assign(values, name, value)
    assert Clisc(CliscOptions.model_validate(values)).supervision is Supervision.NONE
    assert Clisc(preset_options(Clisc, "demo")).supervision is Supervision.NONE


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("cam.true_slices", True, Supervision.SLICE_LABELS),
        ("region.rule", "validation-dice", Supervision.VALIDATION_MASKS),
        ("classifier.keep", "best-by-true-slices", Supervision.SLICE_LABELS),
        ("unet.keep", "best-validation-dice", Supervision.VALIDATION_MASKS),
    ],
)
def test_each_use_alone_declares_the_least_that_it_needs(name: str, value: object, needed: Supervision) -> None:
    values = CliscOptions().model_dump()
    assign(values, name, value)
    assert Clisc(CliscOptions.model_validate(values)).supervision is needed


@pytest.mark.parametrize("study", Clisc.studies)
@pytest.mark.parametrize("preset", Clisc.presets)
def test_rows_of_studies_are_options_of_every_preset(study: str, preset: str) -> None:
    seen = set()
    for changes in Clisc.studies[study].rows.values():
        values = preset_options(Clisc, preset).model_dump()
        for name, value in changes.items():
            assign(values, name, value)
        seen.add(CliscOptions.model_validate(values).model_dump_json())
    assert len(seen) == len(Clisc.studies[study].rows)


def test_registering_does_not_load_torch() -> None:
    code = "import sys, unseg_bench_methods.clisc; print([m for m in ('torch', 'monai', 'scipy') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
