"""The label ledger: every reference mask or slice label that a method was granted, in run.json at once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

from unseg_bench.run.folder import RunFolder


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
    an unsealed method opened by itself.
    """
    if record.get("made_elsewhere"):
        return "unknown (made elsewhere)"
    seal = cast("dict[str, Any]", record.get("seal", {}))
    reads = cast("list[dict[str, Any]]", record.get("label_reads", []))
    kinds = Counter(str(read["kind"]) for read in {_identity(read): read for read in reads}.values())
    kinds["opened data file"] += int(seal.get("opened_data_files", 0))
    if found := [_counted(kind, count) for kind, count in sorted(kinds.items()) if count]:
        return "no: " + ", ".join(found)
    weights = cast("dict[str, dict[str, Any]]", seal.get("weights", {}))
    own = any(not file["published_checksum"] for file in weights.values())
    return f"yes ({seal.get('mode', 'ledger')}{', own weights' if own else ''})"


def _counted(kind: str, count: int) -> str:
    return f"{count} {kind}{'s' if count > 1 else ''}"


def _identity(read: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(read["case"]), str(read["kind"]), str(read["purpose"])
