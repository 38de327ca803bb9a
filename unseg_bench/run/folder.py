"""The run folder: run.json, predictions/, scores.csv, log.jsonl. It is the single truth about a run.

Beside them: tables/, alternatives/, and maps/ where the run was to keep them.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unseg_bench.data.atomic import append_line, write_json
from unseg_bench.data.paths import check_alternative_name, check_case_id
from unseg_bench.errors import DataError, UbenchError

FORMAT = 1
SCORED = frozenset({"complete", "partial"})
"""States of a run that has scores, of all of its cases or of some."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk. `record` is the content of run.json, {} before the run has begun."""

    path: Path

    @property
    def record(self) -> dict[str, Any]:
        """Content of run.json; raises DataError when the file is damaged or of another format."""
        file = self.path / "run.json"
        if not file.is_file():
            return {}
        try:
            value: object = json.loads(file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: not readable as JSON ({error}); remove the run's folder and run again") from error
        if not isinstance(value, dict) or cast("dict[str, Any]", value).get("format") != FORMAT:
            raise DataError(f"{file}: not a run of this version of ubench (format {FORMAT} expected)")
        return cast("dict[str, Any]", value)

    @property
    def state(self) -> str:
        """'absent', 'started', 'failed', 'predicted', 'partial' or 'complete'.

        Predicted: segmented, but for `failed_cases`. Complete: scored. Partial: scored, but for `failed_cases`.
        """
        return str(self.record.get("state", "absent"))

    @property
    def failed_cases(self) -> dict[str, str]:
        """The cases without prediction or score, and why."""
        return dict(self.record.get("failed_cases", {}))

    @property
    def scores(self) -> Path:
        """Path of scores.csv."""
        return self.path / "scores.csv"

    @property
    def alternative_scores(self) -> Path:
        """Path of scores-alternatives.csv; there only where the method handed over alternatives."""
        return self.path / "scores-alternatives.csv"

    @property
    def log_file(self) -> Path:
        """Path of log.jsonl."""
        return self.path / "log.jsonl"

    def prediction(self, case_id: str) -> Path:
        """Path of one case's predicted mask."""
        return self.path / "predictions" / f"{check_case_id(case_id)}.nii.gz"

    def map_file(self, case_id: str) -> Path:
        """Path of the map that a case's mask was cut from."""
        return self.path / "maps" / f"{check_case_id(case_id)}.nii.gz"

    def alternative(self, name: str, case_id: str) -> Path:
        """Path of another answer for a case; raises ValueError for a name that cannot be a folder's."""
        return self.path / "alternatives" / check_alternative_name(name) / f"{check_case_id(case_id)}.nii.gz"

    @property
    def alternatives(self) -> list[str]:
        """Names of the alternatives that there are, of all cases or some."""
        return sorted(folder.name for folder in (self.path / "alternatives").glob("[!.]*") if folder.is_dir())

    @property
    def without_map(self) -> frozenset[str]:
        """The cases for which the method handed over no map although maps were to be kept."""
        return frozenset(self.record.get("without_map", []))

    def forget_case(self, case_id: str) -> None:
        """Remove a case's prediction, and then what was handed over beside it."""
        self.prediction(case_id).unlink(missing_ok=True)
        self.map_file(case_id).unlink(missing_ok=True)
        for name in self.alternatives:
            self.alternative(name, case_id).unlink(missing_ok=True)

    def update(self, values: Mapping[str, Any]) -> None:
        """Change entries of run.json; the file is replaced whole."""
        write_json(self.path / "run.json", {"format": FORMAT, **self.record, **values})

    def log(self, event: str, values: Mapping[str, Any]) -> None:
        """Append one line to log.jsonl."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "event": event, **values}
        append_line(self.log_file, json.dumps(line, ensure_ascii=False))

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of log.jsonl, without those that a crash cut short."""
        if not self.log_file.is_file():
            return []
        events: list[dict[str, Any]] = []
        for line in self.log_file.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(json.JSONDecodeError):
                events.append(json.loads(line))
        return events


def find_runs(folder: Path) -> list[RunFolder]:
    """Return the readable runs under `folder`, oldest first."""
    found: list[tuple[str, RunFolder]] = []
    for file in folder.glob("*/*/run.json"):
        run = RunFolder(file.parent)
        try:
            found.append((str(run.record.get("started", "")), run))
        except UbenchError:
            continue
    return [run for _, run in sorted(found, key=lambda pair: (pair[0], str(pair[1].path)))]
