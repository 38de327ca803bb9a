"""Plans: what a call of `ubench run` means, checked before anything is computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unseg_bench.data.content import Content
from unseg_bench.data.splits import PARTS, Part, Split
from unseg_bench.errors import DataError, PluginError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.manager import Plugins, is_file
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.identity import SEGMENTED, Inputs, inputs_of, references_of, run_folder
from unseg_bench.run.inspection import describe_file
from unseg_bench.run.method_card import MethodCard, make_card, said_of
from unseg_bench.run.settings import RunSettings, is_option_of, make_dataset, option_names, refuse_unknown


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, checked and ready: a method with its options on the cases of one part, under one seed.

    `written` is what the user called the method: its name, or the path of its file. `loaded` is an installed method's
    class; None for a file, whose code never runs in this process: all that is known of it here is what `method` says.
    `inputs` is the content that goes in, as it was when this was planned.
    """

    written: str
    method: MethodCard
    loaded: type[Method] | None
    dataset: Dataset
    split: Split
    settings: RunSettings
    seed: int
    inputs: Inputs
    folder: RunFolder

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases to segment."""
        return self.split.part(self.settings.part)[: self.settings.limit]

    def is_segmented(self, case_id: str) -> bool:
        """Whether a case's prediction is there, and its map too where maps are to be kept and it had one."""
        return self.folder.prediction(case_id).is_file() and self._has_its_map(case_id)

    @property
    def is_done(self) -> bool:
        """Whether an earlier call segmented every case, and kept its map where maps are to be kept."""
        done = self.folder.state in {"predicted", "complete"} and not self.folder.failed_cases
        return done and all(self._has_its_map(case_id) for case_id in self.case_ids)

    def _has_its_map(self, case_id: str) -> bool:
        kept = not self.settings.keep_maps or self.folder.map_file(case_id).is_file()
        return kept or case_id in self.folder.without_map

    @property
    def used_case_ids(self) -> tuple[str, ...]:
        """The cases to segment and, where the method learns, those to learn from."""
        return (*self.learned_from("train"), *self.learned_from("valid"), *self.case_ids)

    def learned_from(self, part: Part) -> tuple[str, ...]:
        """The cases of a part to learn from: none where the method does not learn."""
        return self.split.part(part) if self.method.learns else ()

    @property
    def preset(self) -> str:
        """Name of the set of options that the method's options started from."""
        return self.method.preset

    @property
    def options(self) -> MethodOptions:
        """The method's checked options; raises PluginError where its class is not loaded here."""
        if self.loaded is None:
            raise PluginError(f"{self.written} works in a process of its own; its options are known as values")
        return self.loaded.Options.model_validate(self.method.options)

    @property
    def title(self) -> str:
        """Name for people, e.g. 'clisc (demo), seed 0'."""
        return f"{self.method.name} ({self.preset}), seed {self.seed}"


def plan_runs(settings: RunSettings, plugins: Plugins, runs_folder: Path) -> list[RunPlan]:
    """Check everything that can be checked before computing; raises a UbenchError for any bad input.

    A method's file is asked what it is in a process of its own, sealed where the kernel can: it is not imported here.
    """
    return plan_variants({"": settings}, plugins, runs_folder)[""]


def plan_variants(variants: Mapping[str, RunSettings], plugins: Plugins, runs_folder: Path) -> dict[str, list[RunPlan]]:
    """Plan several calls, by label, that have all but `set` in common; errors in options name the label."""
    settings = next(iter(variants.values()))
    dataset_class = plugins.dataset(settings.dataset)
    _refuse_typing_errors(variants, plugins)
    found = {written: _find(written, variants, plugins, dataset_class) for written in settings.methods}
    for label, own in variants.items():
        cards = [cards[label] for cards, _ in found.values()]
        with said_of(label):
            refuse_unknown(own, {name for card in cards for name in card.used}, {c.name: c.known for c in cards})
    dataset = make_dataset(dataset_class, settings.dataset_options)
    split = dataset.split()
    content = Content(dataset)
    plans: dict[str, list[RunPlan]] = {label: [] for label in variants}
    for label, own in variants.items():
        for written, (cards, loaded) in found.items():
            card, inputs = cards[label], _inputs(cards[label], dataset, split, own, content)
            for seed in own.seeds:
                folder = run_folder(runs_folder / dataset.name, f"{card.name}-{card.preset}-seed{seed}", inputs)
                plans[label].append(RunPlan(written, card, loaded, dataset, split, own, seed, inputs, folder))
        for plan in plans[label]:
            _check_parts(plan)
    return plans


def identify(plan: RunPlan) -> dict[str, Any]:
    """Say which run it is and in which state, as JSON values."""
    return {
        "run": str(plan.folder.path),
        "state": plan.folder.state,
        "method": plan.method.name,
        "preset": plan.preset,
        "seed": plan.seed,
        "dataset": plan.dataset.name,
        "split": plan.split.name,
    }


def describe(plan: RunPlan) -> dict[str, Any]:
    """Say what a run would do, without doing it (for `--dry-run`)."""
    return {
        **identify(plan),
        "cases": {part: len(plan.split.part(part)) for part in PARTS},
        "to_segment": len(plan.case_ids),
        "segmented": sum(plan.is_segmented(case_id) for case_id in plan.case_ids),
        "options": plan.method.options,
    }


def _find(
    written: str, variants: Mapping[str, RunSettings], plugins: Plugins, dataset: type[Dataset]
) -> tuple[dict[str, MethodCard], type[Method] | None]:
    """Return a method's cards by label, and its class where it may be loaded here."""
    if is_file(written):
        taken = {name: plugins.sources[name] for name in plugins.methods}
        return describe_file(written, variants, dataset, taken), None
    method = plugins.method(written)
    cards: dict[str, MethodCard] = {}
    for label, settings in variants.items():
        with said_of(label):
            cards[label] = make_card(written, method, settings, dataset.default_preset)
    return cards, method


def _refuse_typing_errors(variants: Mapping[str, RunSettings], plugins: Plugins) -> None:
    """Raise SettingsError for a name in `set` that no method has before their code is loaded, which takes seconds.

    Only where every method is installed: what options a file has is known when its process has said it.
    """
    for label, own in variants.items():
        if any(is_file(written) for written in own.methods):
            return
        methods = [plugins.method(written) for written in own.methods]
        known = {method.name: option_names(method.Options) for method in methods}
        used = {name for name in own.set for known_by, names in known.items() if is_option_of(name, {known_by}, names)}
        with said_of(label):
            refuse_unknown(own, used, known)


def _check_parts(plan: RunPlan) -> None:
    if not plan.case_ids:
        raise DataError(f"data set '{plan.dataset.name}': the part '{plan.settings.part}' of its split has no cases")
    if plan.method.learns and not plan.split.train:
        raise DataError(
            f"{plan.method.name} learns from training images, but the split '{plan.split.name}' of data set "
            f"'{plan.dataset.name}' has none; choose another split"
        )


def _inputs(card: MethodCard, dataset: Dataset, split: Split, settings: RunSettings, content: Content) -> Inputs:
    chosen = {
        "code": card.code,
        "options": card.options,
        "dataset": dataset.identity(),
        "part": settings.part,
        "limit": settings.limit,
        "references": references_of(card.supervision, content, split, dataset.healthy()),
        **({"deterministic": True} if settings.deterministic else {}),
    }
    learned = {part: split.part(part) if card.learns else () for part in ("train", "valid")}
    segmented = split.part(settings.part)[: settings.limit]
    return inputs_of(chosen, content, split, {**learned, "healthy": dataset.healthy(), SEGMENTED: segmented})
