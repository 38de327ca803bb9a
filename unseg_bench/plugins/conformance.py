"""The conformance kit: what every method and every data set must do, tried on tiny cases made in memory.

`ubench check NAME|FILE` runs it for a stranger; the project's own tests run it over every registered plugin.
"""

import json
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ValidationError

from unseg_bench.data.splits import PARTS
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import PluginError
from unseg_bench.plugins.dataset import Dataset, DatasetOptions
from unseg_bench.plugins.explain import checked
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.outputs import unlike_mask
from unseg_bench.plugins.presets import CHECK, preset_options
from unseg_bench.plugins.trial import Trial, TrialContext, TrialRun, content_digest, empty_volume


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: its name, whether it passed, and what was seen (on failure: what to mend)."""

    name: str
    passed: bool
    detail: str


class Violation(Exception):  # noqa: N818 - never leaves the kit: it becomes a CheckResult
    """A check failed; the message says what was expected and what was seen."""


def check_method(method: type[Method], options: MethodOptions | None = None) -> list[CheckResult]:
    """Put a method through every check, on the CPU, offline, on cases of about 31 x 37 x 29 voxels.

    Without `options`, those of its preset 'check' are taken, or its defaults where it has none. Nothing is raised:
    what goes wrong inside the method is a failed check, and a check that needs an earlier, failed one fails too.
    """
    declared = [
        _try("declaration", lambda: _declaration(method)),
        _try("options", lambda: _method_options(method)),
    ]
    if not all(result.passed for result in declared):
        return [*declared, *(CheckResult(name, False, "not tried: see above") for name in _METHOD_CHECKS)]
    with tempfile.TemporaryDirectory(prefix="ubench-check-") as folder:
        chosen = preset_options(method, CHECK) if options is None else options
        trial = _Trials(Trial(method, chosen, Path(folder)))
        return [*declared, *(_try(name, lambda check=check: check(trial)) for name, check in _METHOD_CHECKS.items())]


def check_dataset(dataset: type[Dataset], options: DatasetOptions) -> list[CheckResult]:
    """Open a data set twice and try every check; all files of its cases are read, so choose options with few cases."""
    return [
        _try("options", lambda: _dataset_options(dataset, options)),
        _try("identity", lambda: _identity(dataset, options)),
        _try("split", lambda: _split(dataset(options))),
        _try("files", lambda: _files(dataset(options))),
        _try("same files", lambda: _same_files(dataset, options)),
    ]


class _Trials:
    """A method's trial runs, each made once: one undisturbed, one interrupted half way and then taken up again."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    @cached_property
    def first(self) -> TrialRun:
        """The undisturbed run, whatever became of it."""
        return self.trial.run("undisturbed")

    @property
    def undisturbed(self) -> TrialRun:
        """The undisturbed run; raises Violation when it failed, since there is nothing to compare with then."""
        if self.first.error is not None:
            raise Violation("not tried: fit or segment failed, see 'segments'")
        return self.first

    @cached_property
    def interrupted(self) -> TrialContext:
        """The context of a separate run, interrupted half way through the ticks of `fit`."""
        half = 1 + self.undisturbed.context.host.ticks // 2
        return self.trial.run("interrupted", interrupt_at=half).context

    @cached_property
    def taken_up(self) -> TrialRun:
        """The interrupted run, begun again in the same store."""
        assert self.interrupted  # noqa: S101 - it must have happened before
        return self._again()

    @cached_property
    def third(self) -> TrialRun:
        """One more run in that store, where all stages are finished."""
        assert self.taken_up  # noqa: S101 - it must have happened before
        return self._again()

    def _again(self) -> TrialRun:
        run = self.trial.run("interrupted")
        if run.error is not None:
            raise Violation(f"failed when fit was called again: {_describe(run.error)}")
        return run


def _declaration(method: type[Method]) -> str:
    name: object = getattr(method, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise Violation("the class attribute `name` must be a text that is not empty")
    below = cast("object", method.look_below)
    if below is not None and (isinstance(below, bool) or not isinstance(below, int | float) or not 0 <= below <= 1):
        raise Violation(f"the class attribute `look_below` must be a number from 0 to 1, or None, not {below!r}")
    return f"'{name}', supervision '{_level(method, CHECK)}'"


def _level(method: type[Method], preset: str) -> Supervision:
    """Return what the method declares with a preset's options: it may choose its supervision by them."""
    supervision = cast("object", method(preset_options(method, preset)).supervision)
    if not isinstance(supervision, Supervision):
        where = "" if preset == CHECK else f"with the preset '{preset}', "
        raise Violation(f"{where}`supervision` must be one of Supervision's values, not {supervision!r}")
    return supervision


def _method_options(method: type[Method]) -> str:
    model = cast("type[BaseModel]", method.Options)
    if not issubclass(model, MethodOptions):
        raise Violation(f"{model.__name__} must be a subclass of MethodOptions")
    presets = {"default": model(), **{name: preset_options(method, name) for name in method.presets}}
    for name, options in presets.items():
        _round_trip(f"preset '{name}'", options)
    _refuses_unknown_names(model)
    return f"presets: {', '.join(sorted(presets))}"


def _segments(trial: _Trials) -> str:
    if trial.first.error is not None:
        raise Violation(_describe(trial.first.error))
    for volume in trial.trial.test_volumes:
        _check_mask(trial.first.predictions[volume.case_id], volume)
    return ", ".join(f"{_size(mask)}: {mask.sum()} voxels" for mask in trial.first.predictions.values())


def _empty_brain(trial: _Trials) -> str:
    volume = empty_volume()
    mask = trial.undisturbed.segment(volume)
    _check_mask(mask, volume)
    if mask.any():
        raise Violation(f"zeros without any brain got {mask.sum()} voxels of tumour; an empty mask was expected")
    return "a volume without brain gets an empty mask"


def _determinism(trial: _Trials) -> str:
    run = trial.undisturbed
    for volume in reversed(trial.trial.test_volumes):
        again = run.segment(volume)
        _check_same(volume, run, again, "when segmented again, in another order")
    for volume in trial.trial.test_volumes:
        again = trial.taken_up.predictions[volume.case_id]
        _check_same(volume, run, again, "when fitted again with the same seed, interrupted half way")
    return "same bits when segmented again and when fitted again"


def _confidence(trial: _Trials) -> str:
    run, below = trial.undisturbed, trial.trial.method.look_below
    volumes = trial.trial.test_volumes
    lacking = [volume.case_id for volume in volumes if volume.case_id not in run.confidences]
    if below is not None and lacking:
        raise Violation(f"has `look_below`, but states no confidence for {lacking[0]}; call context.confidence")
    for volume in volumes:
        run.segment(volume)
        first, again = (stated.get(volume.case_id) for stated in (run.confidences, run.context.host.confidences))
        if first != again:
            raise Violation(f"{volume.case_id}: the confidence is {first} once and {again} when segmented again")
    stated = " and ".join(f"{value:.2f}" for value, _ in run.confidences.values())
    return f"states {stated}" if stated else "states none"


def _input_untouched(trial: _Trials) -> str:
    run = trial.undisturbed
    for volume in trial.trial.test_volumes:
        image, brain = volume.image.copy(), volume.brain.copy()
        writable = Volume(volume.case_id, image, brain, volume.spacing_mm, volume.digest)
        run.segment(writable)
        if content_digest(image, brain) != volume.digest:
            raise Violation("segment changed the volume that it was given; work on a copy (volume.image.copy())")
    if changed := trial.trial.changed:
        raise Violation(f"fit changed {changed[0]}; work on copies (volume.image.copy())")
    return "images and brain masks are as they were"


def _supervision(trial: _Trials) -> str:
    labels = trial.first.context.labels
    for preset in trial.trial.method.presets:
        _level(trial.trial.method, preset)
    if labels.refused:
        more = f" and {len(labels.refused) - 1} more" if len(labels.refused) > 1 else ""
        declared = trial.first.fitted.supervision
        raise Violation(f"declares '{declared}' but asked for the {labels.refused[0]}{more}")
    return f"read {len(labels.read)} labels, first the {labels.read[0]}" if labels.read else "read no label"


def _resumes(trial: _Trials) -> str:
    if not trial.undisturbed.fitted.learns:
        return "learns nothing, so there is nothing to resume"
    stages = trial.undisturbed.context.finished
    if not stages:
        return "has no stages: everything is computed again after a crash"
    computed = [*trial.interrupted.finished, *trial.taken_up.context.finished]
    if sorted(computed) != sorted(stages):
        extra = sorted(set(computed) - set(stages)) or sorted(set(stages) - set(computed))
        raise Violation(
            f"{len(stages)} stages when undisturbed, {len(computed)} after a crash half way (differing: "
            f"{', '.join(extra)}); give a stage the same options and inputs every time"
        )
    if again := trial.third.context.finished:
        raise Violation(f"calling fit again computed {', '.join(again)}; what is finished must cost nothing")
    return f"{len(stages)} stages, each computed once in spite of a crash half way"


def _explains(trial: _Trials) -> str:
    if trial.trial.method.explain is Method.explain:
        return "has no explain, so `ubench show --case` draws no picture of it"
    run = trial.undisturbed
    steps: list[int] = []
    for volume in trial.trial.test_volumes:
        found = run.fitted.explain(volume, run.context)
        try:
            steps.append(0 if found is None else len(checked(found, volume, run.fitted.name).steps))
        except PluginError as error:
            raise Violation(str(error)) from None
        again = run.segment(volume)
        _check_same(volume, run, again, "when segmented after explain")
    return f"{' and '.join(map(str, steps))} steps, and the same answer after"


_METHOD_CHECKS: dict[str, Callable[[_Trials], str]] = {
    "segments": _segments,
    "empty brain": _empty_brain,
    "determinism": _determinism,
    "confidence": _confidence,
    "input untouched": _input_untouched,
    "supervision": _supervision,
    "resumes": _resumes,
    "explains": _explains,
}


def _dataset_options(dataset: type[Dataset], options: DatasetOptions) -> str:
    _round_trip("the options", options)
    _refuses_unknown_names(dataset.Options)
    return f"{len(dataset.Options.model_fields)} options"


def _identity(dataset: type[Dataset], options: DatasetOptions) -> str:
    first, second = (json.dumps(dataset(options).identity(), sort_keys=True) for _ in range(2))
    if first != second:
        raise Violation(f"two openings with the same options differ: {first} and {second}")
    if str(Path.home()) in first or str(Path.cwd()) in first:
        raise Violation(f"identity holds a path of this machine, so no other machine can have the same data: {first}")
    recipes = [
        json.dumps([opened.made_from(case) for case in opened.split().case_ids], sort_keys=True)
        for opened in (dataset(options), dataset(options))
    ]
    if recipes[0] != recipes[1]:
        raise Violation("made_from differs between two openings with the same options, so no run could ever go on")
    return first


def _split(dataset: Dataset) -> str:
    split, healthy = dataset.split(), dataset.healthy()
    if not split.test:
        raise Violation("the split has no test case, so nothing can be segmented")
    if both := sorted(set(healthy) & set(split.case_ids)):
        raise Violation(f"case {both[0]} is declared healthy and is in the split too")
    return ", ".join(f"{part} {len(split.part(part))}" for part in PARTS) + f", healthy {len(healthy)}"


def _files(dataset: Dataset) -> str:
    found = dataset.check(lambda done, total, what: None)
    if found.problems:
        raise Violation(f"{len(found.problems)} problems, first: {found.problems[0]}")
    return f"{found.cases} cases read"


def _same_files(dataset: type[Dataset], options: DatasetOptions) -> str:
    first, second = dataset(options), dataset(options)
    case_id = first.split().test[0]
    paths = [opened.image(case_id).path for opened in (first, second)]
    if paths[0].read_bytes() != paths[1].read_bytes():
        raise Violation(f"two openings give different images for {case_id}: {paths[0]} and {paths[1]}")
    return f"{case_id} is the same in two openings"


def _try(name: str, check: Callable[[], str]) -> CheckResult:
    """Turn what a check returns or raises into a result."""
    try:
        return CheckResult(name, True, check())
    except Violation as broken:
        return CheckResult(name, False, str(broken))
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return CheckResult(name, False, _describe(error))


def _describe(error: Exception) -> str:
    """Say what was raised and in which line of the plugin, so that its author finds it without a traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/unseg_bench/" not in frame.filename]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{place}"


def _round_trip(what: str, options: BaseModel) -> None:
    text = options.model_dump_json()
    again = type(options).model_validate_json(text)
    if again != options:
        raise Violation(f"{what} does not survive being written and read: {text} becomes {again.model_dump_json()}")


def _refuses_unknown_names(model: type[BaseModel]) -> None:
    try:
        model.model_validate({"no_such_option": 1})
    except ValidationError as error:
        if any(found["type"] == "extra_forbidden" for found in error.errors()):
            return
    raise Violation(f"{model.__name__} accepts unknown names; keep extra='forbid' in its model_config")


def _check_mask(mask: object, volume: Volume) -> None:
    if (found := unlike_mask(mask, volume.shape)) is not None:
        raise Violation(f"segment must return a bool array of shape {volume.shape}, not {found}")


def _check_same(volume: Volume, run: TrialRun, mask: Mask, when: str) -> None:
    _check_mask(mask, volume)
    if differing := int((mask != run.predictions[volume.case_id]).sum()):
        raise Violation(
            f"{volume.case_id}: {differing} voxels differ {when}; draw all chance from work.seed or context.seed "
            "and keep nothing between cases"
        )


def _size(mask: Mask) -> str:
    return " x ".join(map(str, mask.shape))
