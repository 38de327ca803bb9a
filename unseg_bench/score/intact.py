"""Whether scores still belong to the predictions and references that they were made from: by digests alone.

`scored.json` in the run folder has the SHA-256 of scores.csv and where each reference lay; scores.csv has the SHA-256
of each prediction and reference. No image is opened, and a file whose status is as it was is not read either.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unseg_bench.data.atomic import write_json
from unseg_bench.data.digests import digests_of_readable
from unseg_bench.errors import DataError
from unseg_bench.run.folder import RunFolder
from unseg_bench.score.metrics import SCORE_AGAIN
from unseg_bench.score.record import CaseScore
from unseg_bench.words import count_text, first_of

FILE = "scored.json"
EARLIER = "scored by an earlier version, which kept no digests of predictions and references"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What was found about a run's scores: what contradicts them, and what can not be checked here; sentences."""

    wrong: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def note_scored(run: RunFolder, references: Mapping[str, Path]) -> None:
    """Write down the digest of scores.csv, which is there, and the file of each case's reference."""
    files = {case_id: str(path.resolve()) for case_id, path in references.items()}
    write_json(run.path / FILE, {"scores_sha256": _sha256(run), "references": files})


def check_files(run: RunFolder, scores: Sequence[CaseScore], references: Mapping[str, Path] | None = None) -> FileCheck:
    """Compare scores with the files that are there now.

    `references`: where each case's reference is; by default where it was when the run was scored.
    """
    if not scores:  # a run without references was never scored
        return FileCheck()
    if not all(score.prediction_sha256 and score.reference_sha256 for score in scores):
        return FileCheck(unknown=(EARLIER,))
    noted = _read(run)
    wrong: list[str] = []
    unknown: list[str] = []
    if noted.get("scores_sha256") != _sha256(run):
        wrong.append("scores.csv is not the file that was written when the run was scored")
    where = references if references is not None else _paths(noted)
    for what, expected in (
        ("prediction", {score.case: (_prediction(run, score.case), score.prediction_sha256) for score in scores}),
        ("reference", {s.case: (where[s.case], s.reference_sha256) for s in scores if s.case in where}),
    ):
        digests = digests_of_readable(path for path, _ in expected.values() if path is not None)
        found = {case: None if path is None else digests[path] for case, (path, _) in expected.items()}
        changed = [c for c, (path, sha256) in expected.items() if path is None or found[c] not in {None, sha256}]
        absent = [c for c, (path, _) in expected.items() if path is not None and found[c] is None]
        if changed:
            wrong.append(f"another {what} than was scored: {_named(changed)}")
        if absent:
            unknown.append(f"no {what} here to compare with: {_named(absent)}")
    return FileCheck(tuple(wrong), tuple(unknown))


def doubts_about_files(run: RunFolder, scores: Sequence[CaseScore], *, everything: bool = False) -> tuple[str, ...]:
    """Say why a run's scores may not be those of its files, with the remedy; `everything`: what cannot be checked too.

    That no file is here any more is left out by default: tables are made on machines that have the scores alone.
    """
    found = check_files(run, scores)
    wrong = [*found.wrong, *(text for text in found.unknown if text == EARLIER)]
    return tuple(f"{text}; {SCORE_AGAIN}" for text in wrong) + (
        tuple(text for text in found.unknown if text != EARLIER) if everything else ()
    )


def _named(cases: Sequence[str]) -> str:
    return f"{count_text(len(cases), 'case')} ({first_of(cases)})"


def _prediction(run: RunFolder, case_id: str) -> Path | None:
    """Return the path of a prediction, None where it is a link or no file that a run writes."""
    with suppress(DataError):
        return run.prediction(case_id)
    return None


def _sha256(run: RunFolder) -> str:
    """Return the digest of the run's scores.csv, '' where there is none."""
    text = run.text_of(run.scores.name)
    return "" if text is None else hashlib.sha256(run.scores.read_bytes()).hexdigest()


def _read(run: RunFolder) -> dict[str, Any]:
    """Return what was noted; of a file that is missing, damaged or no file at all, nothing."""
    with suppress(OSError, ValueError, RecursionError, DataError):
        value: object = json.loads(run.text_of(FILE) or "{}")
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
    return {}


def _paths(noted: Mapping[str, Any]) -> dict[str, Path]:
    files: object = noted.get("references")
    known = cast("dict[str, object]", files) if isinstance(files, dict) else {}
    return {case_id: Path(path) for case_id, path in known.items() if isinstance(path, str) and "\0" not in path}
