"""The evidence on one run: what was enforced, what was refused, what was read, and digests, from its folder alone."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from unseg_bench.data.digests import file_digests
from unseg_bench.errors import DataError
from unseg_bench.plugins.digests import digest_of
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import label_free
from unseg_bench.run.record import shown_value
from unseg_bench.run.session.sandboxed import EVIDENCE
from unseg_bench.run.watch import LIST


class _Entry(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Allowed(_Entry):
    path: str
    rights: str


class _Tried(_Entry):
    what: str


class _Full(BaseModel):
    """What seal.json holds: the paths that were open, and what was tried in vain."""

    allowed: list[_Allowed] = []
    refused: list[_Tried] = []


def collect_evidence(run: RunFolder) -> dict[str, Any]:
    """Return all that a sceptic wants to see of a run, as JSON; digests are SHA-256."""
    record = run.record
    seal: dict[str, Any] = record.get("seal", {})
    full = _in_full(run) if seal.get("mode") == "sealed" else {}
    opened = run.text_of(LIST) or ""
    return {
        "run": str(run.path),
        "method": record.get("method"),
        "supervision": record.get("supervision"),
        "label_free": label_free(record),
        "seal": seal,
        "allowed": full.get("allowed", []),
        "refused": full.get("refused", []),
        "opened": opened.splitlines() if not full else [],
        "label_reads": record.get("label_reads", []),
        "mask_sources": record.get("mask_sources", {}),
        "inherited": record.get("inherited", {}),
        "digests": {
            "data set": digest_of(record.get("dataset_identity")),
            **{f"images, {part}": digest for part, digest in record.get("images", {}).items()},
            **({"what it is made of": record["made_of"]} if "made_of" in record else {}),
            **{f"weights, {name}": digest for name, digest in record.get("weights", {}).items()},
            "predictions": _digest_of_predictions(run),
        },
    }


def _in_full(run: RunFolder) -> dict[str, Any]:
    try:
        return _Full.model_validate(shown_value(json.loads(run.text_of(EVIDENCE) or "{}"))).model_dump()
    except ValidationError:
        raise DataError(f"{run.path / EVIDENCE}: holds what no run writes; the run is damaged") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{run.path / EVIDENCE}: not readable as JSON ({type(error).__name__})") from None


def _digest_of_predictions(run: RunFolder) -> str:
    """Return the digest of all predictions: of lines as `sha256sum *.nii.gz` prints them in their folder.

    A hidden file is none: what a kill leaves behind is not part of the run.
    """
    names = sorted(path.name for path in run.own("predictions").glob("[!.]*.nii.gz"))
    files = [run.own("predictions", name) for name in names]
    lines = [f"{digest}  {path.name}\n" for path, digest in file_digests(files).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
