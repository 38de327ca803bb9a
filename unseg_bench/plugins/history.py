"""What went into a result that could tell of labels: one rule for stages, runs and masks of other runs.

A result carries the history of its maker; whoever takes it carries that from then on (`|`). A run only takes a stage's
result whose whole history it could have had itself (`run.host`); else the stage is made anew.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self, cast

from unseg_bench.plugins.digests import digest_of

SEALED, LEDGER, UNSEALED, UNKNOWN = "sealed", "ledger", "not sealed", "unknown"
MODES = (SEALED, LEDGER, UNSEALED, UNKNOWN)
"""From the strongest: behind the seal; in the harness's process, its opened files listed; code from a file in a plain
process; made elsewhere."""
Read = Mapping[str, Any]
"""One label read: case, kind, purpose, when; `via` where another run read it, whose masks were taken."""


@dataclass(frozen=True, slots=True)
class Source:
    """What was measured of masks that came from outside the run: see History."""

    mode: str
    own_weights: bool = False
    opened_data_files: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """`mode`: the weakest of the processes that worked on it.

    `own_weights`: name -> SHA-256 of files whose digest no publisher gave. `sources`: folder -> what is known of masks
    taken from it. `opened_data_files`: files of the data set that an unsealed method opened by itself.
    """

    mode: str = SEALED
    label_reads: tuple[Read, ...] = ()
    own_weights: Mapping[str, str] = field(default_factory=dict[str, str])
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    opened_data_files: int = 0

    def __or__(self, other: Self) -> Self:
        """Return what somebody has seen who has both."""
        reads = {identity(read): read for read in (*self.label_reads, *other.label_reads)}
        sources = dict(self.sources)
        for folder, source in other.sources.items():
            sources[folder] = _weakest(sources.get(folder, source), source)
        return type(self)(
            max(self.mode, other.mode, key=MODES.index),
            tuple(reads.values()),
            {**self.own_weights, **other.own_weights},
            sources,
            max(self.opened_data_files, other.opened_data_files),
        )

    def adds_nothing_to(self, own: Self) -> bool:
        """Whether a run that has seen `own` would have seen no label, no mask and no weights more by taking this."""
        known = {identity(read) for read in own.label_reads}
        return (
            all(identity(read) in known for read in self.label_reads)
            and self.sources.keys() <= own.sources.keys()
            and self.own_weights.keys() <= own.own_weights.keys()
            and self.opened_data_files <= own.opened_data_files
        )

    @property
    def weakest(self) -> Source:
        """All of it as one source: the weakest mode, whether any weights were somebody's own, files opened."""
        own = Source(self.mode, bool(self.own_weights), self.opened_data_files)
        modes = [own.mode, *(source.mode for source in self.sources.values())]
        return Source(
            max(modes, key=MODES.index),
            own.own_weights or any(source.own_weights for source in self.sources.values()),
            own.opened_data_files + sum(source.opened_data_files for source in self.sources.values()),
        )

    @property
    def label(self) -> str:
        """The text of the table's label-free column (see `run.ledger.label_free`).

        A mask that was read for two purposes is one mask.
        """
        access = self.weakest
        kinds = Counter(kind for _, kind in {(str(read["case"]), str(read["kind"])) for read in self.label_reads})
        kinds["opened data file"] += access.opened_data_files
        if found := [_counted(kind, count) for kind, count in sorted(kinds.items()) if count]:
            return "no: " + ", ".join(found)
        if access.mode == UNKNOWN:
            return "unknown (masks from elsewhere)"
        if access.mode == UNSEALED:
            return UNSEALED
        return f"yes ({access.mode}{', own weights' if access.own_weights else ''})"

    @property
    def variant(self) -> str:
        """Eight digits that tell this history from others, '' for one in which nothing happened."""
        facts = {**self.to_json(), "label_reads": sorted(identity(read) for read in self.label_reads)}
        return "" if self == History() else digest_of(facts)[:8]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "mode": self.mode,
            "label_reads": [dict(read) for read in self.label_reads],
            "own_weights": dict(self.own_weights),
            "sources": {folder: asdict(source) for folder, source in sorted(self.sources.items())},
            "opened_data_files": self.opened_data_files,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
        if value["mode"] not in MODES:
            raise ValueError(f"no such mode: {value['mode']!r}")
        sources = cast("Mapping[str, Mapping[str, Any]]", value["sources"])
        return cls(
            str(value["mode"]),
            tuple(value["label_reads"]),
            dict(value["own_weights"]),
            {folder: source_of(source) for folder, source in sources.items()},
            int(value["opened_data_files"]),
        )


def source_of(value: Mapping[str, Any]) -> Source:
    """Read a source; other entries beside it are passed over."""
    mode = str(value["mode"])
    return Source(mode if mode in MODES else UNKNOWN, bool(value["own_weights"]), int(value["opened_data_files"]))


def identity(read: Read) -> tuple[str, str, str]:
    """What makes two label reads the same."""
    return str(read["case"]), str(read["kind"]), str(read["purpose"])


def _weakest(one: Source, other: Source) -> Source:
    return Source(
        max(one.mode, other.mode, key=MODES.index),
        one.own_weights or other.own_weights,
        max(one.opened_data_files, other.opened_data_files),
    )


def _counted(kind: str, count: int) -> str:
    return f"{count} {kind}{'s' if count > 1 and not kind.endswith('s') else ''}"
