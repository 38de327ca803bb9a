"""Answers the questions of a sealed process: volumes of its cohorts one by one, stages, weights. Labels: never."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from unseg_bench.blocks.weights import WeightsFile, known_weights, resolve, resolve_entry
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.store import PreparedCase
from unseg_bench.errors import DataError, RunError, WeightsError
from unseg_bench.plugins.context import Artifact
from unseg_bench.run.desk import StageDesk, record_weights
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.handover import Handover
from unseg_bench.run.mask_sources import MaskSources
from unseg_bench.run.progress import Reporter
from unseg_bench.run.stages import Attempt
from unseg_bench.run.tables import write_table
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import Answer, descriptors, open_array
from unseg_bench.sandbox.wire import revive_error, unpack_map, unpack_mask
from unseg_bench.sandbox.workspace import Workspace

_STAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Attendant:
    """Serves one run. `prepared`: id -> case; `healthy` makes that cohort; `named` is every text among the options.

    `sources`: those of `named` that masks may come from. `handed` counts what was given: volumes by cohort, and the
    weights with their digests.
    """

    def __init__(
        self,
        *,
        room: Workspace,
        folder: RunFolder,
        desk: StageDesk,
        labels: LabelDoor,
        masks: MaskSources,
        handover: Handover,
        sources: frozenset[str],
        prepared: Callable[[str], PreparedCase],
        healthy: Callable[[], Cohort],
        named: frozenset[str],
        protected: Callable[[Path], bool],
        reporter: Reporter,
    ) -> None:
        self._room, self._folder, self._desk, self._labels = room, folder, desk, labels
        self._prepared, self._healthy, self._named, self._protected = prepared, healthy, named, protected
        self._masks, self._sources, self._reporter = masks, sources, reporter
        self._handover = handover
        self._cohorts: dict[str, Cohort] = {}
        self._open: list[tuple[AbstractContextManager[Attempt], Attempt]] = []
        self.volumes: dict[str, int] = {}
        self.weights: dict[str, dict[str, Any]] = {}

    def admit(self, cohort: Cohort) -> Message:
        """Let the process ask for this cohort's volumes; returns how the cohort is described to it."""
        self._cohorts[cohort.name] = cohort
        digests = [(case_id, self._prepared(case_id).digest) for case_id in cohort.case_ids]
        return {"name": cohort.name, "digests": digests}

    def volume(self, cohort: str, case_id: str) -> Answer:
        """Return one volume: its facts, and its two files, opened."""
        case = self._prepared(case_id)
        self.volumes[cohort] = self.volumes.get(cohort, 0) + 1
        facts = {"case": case_id, "spacing_mm": case.spacing_mm, "digest": case.digest}
        return facts, descriptors(*case.arrays)

    def ask(self, question: Message) -> Answer:
        """Answer a question, whose bytes are its 'payload'; raises what is to be raised inside."""
        answers: dict[str, Callable[[Message], Answer]] = {
            "volume": self._volume,
            "healthy": lambda _: (self.admit(self._healthy()), ()),
            "stage": self._stage,
            "stage done": lambda _: (self._stage_done(), ()),
            "stage failed": self._stage_failed,
            "weights": lambda asked: (self._weights(str(asked["name"]), bool(asked["offline"])), ()),
            "label": self._label,
            "predicted mask": self._predicted_mask,
            "table": self._table,
            "map": self._map,
            "alternative": self._alternative,
        }
        return answers[question["ask"]](question)

    def tell(self, message: Message) -> None:
        """Pass on progress, notes, and the weights that the method says it used."""
        if message["tell"] == "progress":
            self._reporter.step(message["done"], message["total"], message["note"])
        elif message["tell"] == "note":
            self._folder.log(str(message["event"]), message["values"])
        elif message["tell"] == "weights used":
            record_weights(self._folder, str(message["name"]), str(message["sha256"]))

    def abandon(self) -> None:
        """Let go of the stages that were not finished; their checkpoints stay."""
        while self._open:
            self._let_go(RunError("the method's process ended"))

    def _volume(self, question: Message) -> Answer:
        cohort = self._cohorts.get(question["cohort"])
        if cohort is None or question["case"] not in cohort.case_ids:
            raise RunError(f"case {question['case']} is in no cohort that this method was given")
        return self.volume(cohort.name, question["case"])

    def _label(self, question: Message) -> Answer:
        ask = {"mask": self._labels.mask, "slice_labels": self._labels.slice_labels}[question["kind"]]
        ask(str(question["case"]), str(question["purpose"]))
        raise RunError("a label was asked for in a sealed run")

    def _table(self, question: Message) -> Answer:
        write_table(self._folder, str(question["name"]), question["rows"])
        return {}, ()

    def _map(self, question: Message) -> Answer:
        self._handover.keep_map(str(question["case"]), unpack_map(question["payload"], question["shape"]))
        return {}, ()

    def _alternative(self, question: Message) -> Answer:
        mask = unpack_mask(question["payload"], question["shape"])
        self._handover.alternative(str(question["case"]), str(question["name"]), mask)
        return {}, ()

    def _predicted_mask(self, question: Message) -> Answer:
        source = str(question["source"])
        if source not in self._sources:
            raise DataError(
                f"{source}: in a sealed run, masks come from a folder that an option of the method names, "
                "and which is there when the run begins"
            )
        mask = self._masks.mask(source, str(question["case"]), inside_stage=bool(self._open))
        return {}, [open_array(mask)]

    def _stage(self, question: Message) -> Answer:
        key: Mapping[str, Any] = question["key"]
        stage = str(key["stage"])
        if not _STAGE_NAME.fullmatch(stage):
            raise RunError(f"stage {stage!r}: a name is letters, digits, '.', '_' and '-' in a sealed run")
        manager = self._desk.attempt(stage, key, lambda: str(question["device"]))
        attempt = manager.__enter__()
        if attempt.artifact is not None:
            manager.__exit__(None, None, None)
            return _place(attempt.artifact), ()
        self._open.append((manager, attempt))
        return {"folder": str(attempt.folder), "scratch": str(attempt.scratch)}, ()

    def _stage_done(self) -> Message:
        manager, attempt = self._open.pop()
        manager.__exit__(None, None, None)
        return _place(attempt.result)

    def _stage_failed(self, question: Message) -> Answer:
        self._let_go(revive_error(question["error"]))
        return {}, ()

    def _let_go(self, error: Exception) -> None:
        manager, _ = self._open.pop()
        with suppress(Exception):
            manager.__exit__(type(error), error, error.__traceback__)

    def _weights(self, name: str, offline: bool) -> Message:
        """Find, fetch and check weights here, and put them where the process can read them."""
        file, published = self._find_weights(name, offline)
        entry = known_weights().get(name)
        packaged = entry is not None and entry.packaged is not None
        path = file.path if packaged else self._room.hand_over(file.path, file.sha256)
        self.weights[file.name] = {"sha256": file.sha256, "published_checksum": published}
        return {"path": str(path), "sha256": file.sha256}

    def _find_weights(self, name: str, offline: bool) -> tuple[WeightsFile, bool]:
        """Return the file, and whether its digest is one that its publisher gave."""
        entry = known_weights().get(name)
        if entry is not None:
            return resolve(name, offline=offline), entry.sha256 is not None
        if name in self._named and not self._protected(Path(name).expanduser().resolve()):
            file = resolve(name, offline=offline)
            return file, any(file.sha256 == known.sha256 for known in known_weights().values())
        if name.startswith("clip-"):
            from unseg_bench.blocks.clip import find_tag_entry

            return resolve_entry(find_tag_entry(name), offline=offline), False
        raise WeightsError(
            f"{name}: in a sealed run, weights are those with a name (`ubench weights`) or files that an option of the "
            "method names, and no files of the data set or of runs"
        )


def _place(artifact: Artifact) -> Message:
    return {"result": str(artifact.folder), "digest": artifact.digest}
