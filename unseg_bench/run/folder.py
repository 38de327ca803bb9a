"""The run folder: run.json, predictions/, scores.csv, log.jsonl. It is the single truth about a run.

Beside them: tables/, alternatives/, and maps/ where the run was to keep them.
"""

import json
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unseg_bench.data.atomic import append_line, write_json
from unseg_bench.data.paths import cache_dir, check_alternative_name, check_case_id, is_alternative_name
from unseg_bench.errors import DataError, RunError, UbenchError
from unseg_bench.plugins.digests import digest_of
from unseg_bench.run.record import BEGUN, check_record, shown_value

FORMAT = 1
LARGEST_FILE_BYTES = 4 << 30
"""Of any file: a mask or a map that still fits into memory."""
LARGEST_RECORD_BYTES = 64_000_000
LONGEST_LOG_BYTES = 64_000_000
LONGEST_LINE = 1_000_000
MOST_EVENTS = 100_000
"""Lines of a log that are read."""
UNFINISHED = frozenset({"started", "failed"})
"""States of a run that did not come to its end: nothing can be claimed of what it would have read."""
SCORED = frozenset({"complete", "partial"})
"""States of a run that has scores, of all of its cases or of some."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk. `record` is the content of run.json, {} before the run has begun."""

    path: Path

    @property
    def record(self) -> dict[str, Any]:
        """Content of run.json, checked: entries of older runs may be missing, none is of another type.

        Raises DataError when the file is damaged, of another format, too large, or holds what no run writes.
        """
        file = self.own("run.json")
        if not file.exists():
            return {}
        try:
            if file.stat().st_size > LARGEST_RECORD_BYTES:
                raise ValueError(f"more than {LARGEST_RECORD_BYTES:,} bytes")
            value: object = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(value, dict) or cast("dict[str, Any]", value).get("format") != FORMAT:
                raise DataError(f"{file}: not a run of this version of ubench (format {FORMAT} expected)")
            return check_record(cast("dict[str, Any]", value))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{file}: cannot be read ({error}); remove the run's folder and run again") from None

    def own(self, *parts: str) -> Path:
        """Return the path of one of the run's own files, which need not be there.

        Raises DataError where it, or a folder on the way, is a link or no ordinary file: a run that comes from
        elsewhere must not lead out of its folder. So does a file that is larger than any run's.
        """
        path = self.path
        for part in parts:
            path /= part
            with suppress(FileNotFoundError, NotADirectoryError):
                status = path.lstat()
                if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                    raise DataError(f"{path}: is a link or no ordinary file; a run's folder holds its files themselves")
                if status.st_size > LARGEST_FILE_BYTES:
                    raise DataError(f"{path}: has {status.st_size:,} bytes, more than any run writes")
        return path

    def text_of(self, name: str, most_bytes: int = LARGEST_RECORD_BYTES) -> str | None:
        """Return the text of one of the run's own files, None where there is none; raises DataError for a large one."""
        path = self.own(name)
        if not path.is_file():
            return None
        if (size := path.stat().st_size) > most_bytes:
            raise DataError(f"{path}: has {size:,} bytes, more than any run writes; the run is damaged")
        return path.read_text(encoding="utf-8", errors="replace")

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
        return self.own("scores.csv")

    @property
    def alternative_scores(self) -> Path:
        """Path of scores-alternatives.csv; there only where the method handed over alternatives."""
        return self.own("scores-alternatives.csv")

    @property
    def log_file(self) -> Path:
        """Path of log.jsonl."""
        return self.own("log.jsonl")

    def prediction(self, case_id: str) -> Path:
        """Path of one case's predicted mask."""
        return self.own("predictions", f"{check_case_id(case_id)}.nii.gz")

    def map_file(self, case_id: str) -> Path:
        """Path of the map that a case's mask was cut from."""
        return self.own("maps", f"{check_case_id(case_id)}.nii.gz")

    def alternative(self, name: str, case_id: str) -> Path:
        """Path of another answer for a case; raises ValueError for a name that cannot be a folder's."""
        return self.own("alternatives", check_alternative_name(name), f"{check_case_id(case_id)}.nii.gz")

    @property
    def alternatives(self) -> list[str]:
        """Names of the alternatives that there are, of all cases or some."""
        folders = self.own("alternatives").glob("[!.]*")
        return sorted(folder.name for folder in folders if is_alternative_name(folder.name) and folder.is_dir())

    @property
    def without_map(self) -> frozenset[str]:
        """The cases for which the method handed over no map although maps were to be kept."""
        return frozenset(self.record.get("without_map", []))

    @property
    def confidences(self) -> dict[str, dict[str, Any]]:
        """Case -> its confidence, {'value': 0 to 1, 'parts': {name: number}}; {} where the method states none."""
        return dict(self.record.get("confidences", {}))

    @property
    def partials(self) -> Path:
        """Folder of the run's unfinished stages, below the cache: no other run reads it, and it survives a crash."""
        return cache_dir() / "partial" / f"{self.path.name}-{digest_of(str(self.path.resolve()))[:8]}"

    def forget_partials(self) -> None:
        """Remove the run's unfinished stages."""
        shutil.rmtree(self.partials, ignore_errors=True)

    def forget_case(self, case_id: str) -> None:
        """Remove a case's prediction, and then what was handed over beside it."""
        self.prediction(case_id).unlink(missing_ok=True)
        self.map_file(case_id).unlink(missing_ok=True)
        for name in self.alternatives:
            self.alternative(name, case_id).unlink(missing_ok=True)
        known = self.confidences
        if known.pop(case_id, None) is not None:
            self.update({"confidences": known})

    def update(self, values: Mapping[str, Any]) -> None:
        """Change entries of run.json; the file is replaced whole."""
        write_json(self.path / "run.json", {"format": FORMAT, **self.record, **values})

    def log(self, event: str, values: Mapping[str, Any]) -> None:
        """Append one line to log.jsonl; raises RunError where the line, or then the file, would be too long."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "event": event, **values}
        text = json.dumps(line, ensure_ascii=False)
        if len(text) > LONGEST_LINE:
            raise RunError(f"'{event}' of {len(text):,} characters is too long for the log; {LONGEST_LINE:,} at most")
        if self.log_file.is_file() and self.log_file.stat().st_size + len(text) > LONGEST_LOG_BYTES:
            raise RunError(f"{self.log_file}: full ({LONGEST_LOG_BYTES:,} bytes at most)")
        append_line(self.log_file, text)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of log.jsonl that are whole and short enough, their text without control characters."""
        if not self.log_file.is_file():
            return []
        with self.log_file.open("rb") as file:
            lines = file.read(LONGEST_LOG_BYTES).splitlines()[:MOST_EVENTS]
        return [event for line in lines if len(line) <= 4 * LONGEST_LINE and (event := _event(line)) is not None]


def _event(line: bytes) -> dict[str, Any] | None:
    with suppress(ValueError, RecursionError):
        value = shown_value(json.loads(line.decode(errors="replace")))
        if isinstance(value, dict) and isinstance(value.get("event"), str):
            return cast("dict[str, Any]", value)
    return None


def open_run(path: Path) -> RunFolder:
    """Return the run in a folder; raises DataError where its record is damaged or lacks what every run has."""
    run = RunFolder(path)
    record = run.record
    if lacking := [name for name in BEGUN if name not in record]:
        raise DataError(f"{path / 'run.json'}: lacks {', '.join(lacking)}; it is no run's record, or one cut short")
    return run


def find_runs(folder: Path, left_out: Callable[[UbenchError], None] = lambda _: None) -> list[RunFolder]:
    """Return the readable runs under `folder`, oldest first; `left_out` hears why each of the others is not.

    One that was asked for again is as new as that.
    """
    found: list[tuple[str, RunFolder]] = []
    for file in sorted(folder.glob("*/*/run.json")):
        try:
            run = open_run(file.parent)
            record = run.record
            found.append((max(str(record["started"]), str(record.get("last_asked", ""))), run))
        except UbenchError as error:
            left_out(error)
        except OSError as error:
            left_out(DataError(f"{file}: cannot be read ({error.strerror})"))
    return [run for _, run in sorted(found, key=lambda pair: (pair[0], str(pair[1].path)))]
