"""The ledger: what one run has seen of labels, and what else bears on its label-free column, in run.json beforehand.

Four entries of run.json belong to it: `label_reads`, `mask_sources`, `seal`, `inherited` (of stages from the cache).
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from unseg_bench.plugins.history import LEDGER, MODES, SEALED, UNKNOWN, History, identity, source_of
from unseg_bench.run.folder import UNFINISHED, RunFolder

_COUNTED = ("opened_data_files", "opened_files", "started_programs")


class Ledger:
    """The ledger of one call. What an earlier call of the same run has seen counts too, until `forget_earlier`.

    `anew`: nothing that an earlier call made is used, so what is made now has only this call's history.
    """

    def __init__(self, folder: RunFolder, *, anew: bool = False) -> None:
        self._folder, self._anew = folder, anew
        self._before = {name: folder.record[name] for name in _empty() if name in folder.record}
        self._now = _empty()

    def add_read(self, read: Mapping[str, Any]) -> None:
        """Write down one label read; the same read again is not repeated."""
        if identity(read) not in {identity(one) for one in self._now["label_reads"]}:
            self._now["label_reads"].append(dict(read))
            self._write()

    def add_weights(self, name: str, sha256: str, *, published: bool) -> None:
        """Write down a file of weights; `published`: whether its publisher gave this digest."""
        weights = self._now["seal"].setdefault("weights", {})
        if name not in weights:
            weights[name] = {"sha256": sha256, "published_checksum": published}
            self._write()

    def add_mask(self, folder: str, run: str | None, case_id: str, file: Mapping[str, str], history: History) -> None:
        """Write down a mask that was taken from elsewhere, and what went into it.

        `folder`: its source; `run`: the source's name, where it is a run; `file`: its name there and SHA-256.
        """
        entry = self._now["mask_sources"].setdefault(folder, {"run": run, "masks": {}})
        if entry["masks"].get(case_id) == dict(file):
            return
        entry |= asdict(history.weakest)
        entry["masks"][case_id] = dict(file)
        reads = [{**read, "purpose": f"in {run}: {read['purpose']}", "via": folder} for read in history.label_reads]
        known = {identity(read) for read in self._now["label_reads"]}
        self._now["label_reads"] += [read for read in reads if identity(read) not in known]
        self._write()

    def inherit(self, history: History) -> None:
        """Write down what the maker of a stage's result had seen, which is this run's from now on."""
        seen = History.from_json(self._now["inherited"]) | History(
            history.mode, (), history.own_weights, history.sources, history.opened_data_files
        )
        known = {identity(read) for read in self._now["label_reads"]}
        new = [dict(read) for read in history.label_reads if identity(read) not in known]
        if new or seen.to_json() != self._now["inherited"]:
            self._now["label_reads"] += new
            self._now["inherited"] = seen.to_json()
            self._write()

    def set_seal(self, seal: Mapping[str, Any]) -> None:
        """Write down what was enforced in this call; of a run made in several calls the weakest counts."""
        self._now["seal"] = {**dict(seal), "weights": self._now["seal"].get("weights", {})}
        self._write()

    def forget_earlier(self) -> None:
        """From now on only this call counts: everything that an earlier one left is gone."""
        self._before = {}
        self._write()

    @property
    def history(self) -> History:
        """What whoever works in this call has seen so far."""
        return history_of(self._now if self._anew else self._folder.record)

    def _write(self) -> None:
        merged, record = _merge(self._before, self._now), self._folder.record
        empty = _empty()
        self._folder.update({name: value for name, value in merged.items() if value != empty[name] or name in record})


def history_of(record: Mapping[str, Any]) -> History:
    """Return what a run has seen, from its record; raises KeyError, TypeError or ValueError for a damaged one."""
    seal = cast("dict[str, Any]", record.get("seal", {}))
    weights = cast("dict[str, dict[str, Any]]", seal.get("weights", {}))
    mode = str(seal.get("mode", LEDGER))
    sources = cast("dict[str, dict[str, Any]]", record.get("mask_sources", {}))
    own = History(
        UNKNOWN if record.get("made_elsewhere") or mode not in MODES else mode,
        tuple(record.get("label_reads", [])),
        {name: file["sha256"] for name, file in weights.items() if not file["published_checksum"]},
        {folder: source_of(source) for folder, source in sources.items()},
        int(seal.get("opened_data_files", 0)),
    )
    return own | History.from_json(record["inherited"]) if "inherited" in record else own


def label_free(record: Mapping[str, Any]) -> str:
    """Say from a run's record what was measured, for the table's label-free column.

    'yes (sealed)': the kernel refused everything else. 'yes (ledger)': an installed method asked for nothing; nothing
    was enforced. 'not sealed': the same of a method's file. With weights whose digest no publisher gave, '..., own
    weights'. 'no: ...': which labels were granted, or how many files of the data set an unsealed method opened by
    itself. 'unknown ...': the predictions, or masks that went into them, come from elsewhere. What went into masks and
    stages that the run took counts as its own. 'not measured (...)': the run did not come to its end, so nothing holds.
    """
    if (state := str(record.get("state", ""))) in UNFINISHED:
        return f"not measured ({state})"
    return "unknown (made elsewhere)" if record.get("made_elsewhere") else history_of(record).label


def _empty() -> dict[str, Any]:
    return {"label_reads": [], "mask_sources": {}, "seal": {}, "inherited": History().to_json()}


def _merge(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Put the entries of an earlier call and of this one together."""
    known = {identity(read) for read in before.get("label_reads", [])}
    inherited = History.from_json(before["inherited"]) if "inherited" in before else History()
    return {
        "label_reads": [
            *before.get("label_reads", []),
            *(read for read in now["label_reads"] if identity(read) not in known),
        ],
        "mask_sources": _merged_sources(before.get("mask_sources", {}), now["mask_sources"]),
        "seal": _merged_seal(before.get("seal", {}), now["seal"]),
        "inherited": (inherited | History.from_json(now["inherited"])).to_json(),
    }


def _merged_sources(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {**before, **now}
    for folder in before.keys() & now.keys():
        both = History(sources={folder: source_of(before[folder])}) | History(sources={folder: source_of(now[folder])})
        masks = {**before[folder]["masks"], **now[folder]["masks"]}
        merged[folder] = {**now[folder], **asdict(both.sources[folder]), "masks": masks}
    return merged


def _merged_seal(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    if not before:
        return dict(now)
    if "mode" not in now:
        return {**before, "weights": {**before.get("weights", {}), **now.get("weights", {})}}
    merged = {**now, "weights": {**before.get("weights", {}), **now.get("weights", {})}}
    mode = max(str(before.get("mode", SEALED)), str(now["mode"]), key=MODES.index)
    if mode != now["mode"]:
        merged |= {"mode": mode, "reason": "an earlier call of this run worked without a seal"}
    counts = {name: max(before.get(name, 0), now.get(name, 0)) for name in _COUNTED if name in {*before, *now}}
    return merged | counts
