"""The label ledger: every reference mask or slice label that a method was granted, in run.json at once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

from unseg_bench.run.folder import RunFolder

_UNKNOWN = "unknown"
_FROM_THE_STRONGEST = ("sealed", "ledger", _UNKNOWN)


class Ledger:
    """Label reads of one run: case, kind, purpose and time. A read is in run.json before the method has the label."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._reads: list[dict[str, Any]] = list(folder.record.get("label_reads", []))

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, read: Mapping[str, Any]) -> None:
        """Write down one read; the same read again is not repeated."""
        self.add_all([read])

    def add_all(self, reads: Iterable[Mapping[str, Any]]) -> None:
        """Write down several reads, such as those of a stage that comes from the cache."""
        known = {_identity(read) for read in self._reads}
        new = [dict(read) for read in reads if _identity(read) not in known]
        if new:
            self._reads += new
            self._folder.update({"label_reads": self._reads})

    def since(self, start: int) -> list[dict[str, Any]]:
        """Return the reads written down after the first `start` ones."""
        return self._reads[start:]


def label_free(record: Mapping[str, Any]) -> str:
    """Say from a run's record what was measured, for the table's label-free column.

    'yes (sealed)': the kernel refused everything else. 'yes (ledger)': nothing was asked for. With weights whose digest
    no publisher gave, '..., own weights'. 'no: ...': which labels were granted, or how many files of the data set
    an unsealed method opened by itself. 'unknown ...': the predictions, or masks that went into them, come from
    elsewhere. What runs whose masks went into this one read, opened and lacked of a seal counts as its own.
    """
    if record.get("made_elsewhere"):
        return "unknown (made elsewhere)"
    access = measured_access(record)
    reads = cast("list[dict[str, Any]]", record.get("label_reads", []))
    kinds = Counter(str(read["kind"]) for read in {_identity(read): read for read in reads}.values())
    kinds["opened data file"] += access["opened_data_files"]
    if found := [_counted(kind, count) for kind, count in sorted(kinds.items()) if count]:
        return "no: " + ", ".join(found)
    if access["mode"] == _UNKNOWN:
        return "unknown (masks from elsewhere)"
    return f"yes ({access['mode']}{', own weights' if access['own_weights'] else ''})"


def measured_access(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was measured of a run's access to labels beside its reads, its mask sources included.

    'mode': the weakest of 'sealed', 'ledger' and 'unknown' (made elsewhere); 'own_weights': whether a file was used
    whose digest no publisher gave; 'opened_data_files': how many an unsealed method opened by itself.
    """
    seal = cast("dict[str, Any]", record.get("seal", {}))
    weights = cast("dict[str, dict[str, Any]]", seal.get("weights", {}))
    own: dict[str, Any] = {
        "mode": _UNKNOWN if record.get("made_elsewhere") else seal.get("mode", "ledger"),
        "own_weights": any(not file["published_checksum"] for file in weights.values()),
        "opened_data_files": int(seal.get("opened_data_files", 0)),
    }
    sources = cast("dict[str, dict[str, Any]]", record.get("mask_sources", {}))
    every = [own, *sources.values()]
    return {
        "mode": max((_known_mode(one["mode"]) for one in every), key=_FROM_THE_STRONGEST.index),
        "own_weights": any(one["own_weights"] for one in every),
        "opened_data_files": sum(one["opened_data_files"] for one in every),
    }


def _known_mode(mode: str) -> str:
    return mode if mode in _FROM_THE_STRONGEST else _UNKNOWN


def _counted(kind: str, count: int) -> str:
    return f"{count} {kind}{'s' if count > 1 and not kind.endswith('s') else ''}"


def _identity(read: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(read["case"]), str(read["kind"]), str(read["purpose"])
