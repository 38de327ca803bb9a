"""Masks of another run, or of a folder, as input of a method: checked, written down, and never references."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unseg_bench.data.content import Content
from unseg_bench.data.digests import file_digest, refuse_change
from unseg_bench.data.files import ReferenceFile
from unseg_bench.data.labels import read_whole_tumour
from unseg_bench.data.paths import check_case_id
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.volume import Mask
from unseg_bench.errors import DataError, LabelAccessError
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.history import UNKNOWN, History
from unseg_bench.run.data_files import reference_files
from unseg_bench.run.folder import SCORED, RunFolder
from unseg_bench.run.ledger import Ledger, history_of
from unseg_bench.run.made import made_in
from unseg_bench.run.plan import RunPlan

_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True, slots=True)
class _Source:
    """An opened source: its folder, resolved; of a run, its record."""

    folder: Path
    record: dict[str, Any] | None


class MaskSources:
    """The masks of other runs and folders that one run asks for.

    What was handed out stands in the run's `mask_sources` before the method has it: source -> what was measured of its
    access to labels, and 'masks': case -> name and SHA-256 of the file. The ledger gets the source's label reads.
    """

    def __init__(self, plan: RunPlan, store: PreparedStore, ledger: Ledger) -> None:
        self._plan, self._store, self._ledger = plan, store, ledger
        self._content = Content(plan.dataset)
        self._opened: dict[str, _Source] = {}
        self._references: dict[Path, str] = {}

    def mask(self, source: str, case_id: str) -> Mask:
        """Return a mask on the prepared grid (see `Context.predicted_mask`)."""
        if source not in self._opened:
            self._opened[source] = self._open(source)
        found = self._opened[source]
        case = self._store.prepare(case_id, self._plan.dataset.image(check_case_id(case_id)))
        file = self._file(found, case_id)
        digest = file_digest(file)
        mask = read_whole_tumour(ReferenceFile(file), case.grid)
        refuse_change(file, digest)
        self._refuse_reference(file, case_id, digest if mask.any() else None)
        self._check_made(found, case_id, digest)
        history = History(UNKNOWN) if found.record is None else history_of(found.record)
        run = None if found.record is None else found.folder.name
        name = str(file.relative_to(found.folder))
        self._ledger.add_mask(str(found.folder), run, case_id, {"name": name, "sha256": digest}, history)
        return np.ascontiguousarray(case.placement.take(mask))

    def _open(self, source: str) -> _Source:
        folder = Path(source).expanduser().resolve()
        if not folder.is_dir():
            raise DataError(
                f"{source}: no such folder; masks come from a run's folder (with run.json) or from a folder of files "
                "<case>.nii.gz"
            )
        for reference in reference_files(self._plan.dataset, self._plan.used_case_ids):
            if folder == reference.resolve().parent:
                raise LabelAccessError(
                    f"{source}: holds reference masks of the data set '{self._plan.dataset.name}' ({reference.name}); "
                    "predictions of another method were expected. A method that reads references declares it"
                )
        record = RunFolder(folder).record or None
        if record is not None:
            self._check_run(source, folder, record)
        return _Source(folder, record)

    def _check_run(self, source: str, folder: Path, record: Mapping[str, Any]) -> None:
        """Refuse a run on other data, one that is not finished, and the run that asks."""
        dataset = self._plan.dataset
        if folder == self._plan.folder.path.resolve():
            raise DataError(f"{source}: is this very run; name another one")
        same_identity = digest_of(record.get("dataset_identity")) == digest_of(dataset.identity())
        if record.get("dataset") != dataset.name or not same_identity:
            raise DataError(
                f"{source}: is a run on the data set '{record.get('dataset')}', not on this copy of '{dataset.name}'; "
                "name a run on the same data"
            )
        if record.get("state") not in {"predicted", *SCORED}:
            raise DataError(f"{source}: this run is not finished; finish it first (ubench runs shows its state)")

    def _check_made(self, source: _Source, case_id: str, digest: str) -> None:
        """Refuse a run's mask of another image than today's, and one that the run did not write.

        What was measured of the run would be said of such a mask. Runs of earlier versions kept no word of either.
        """
        made = made_in(RunFolder(source.folder)) if source.record is not None else {}
        if not made:
            return
        if case_id not in made or made[case_id].prediction_sha256 != digest:
            raise DataError(
                f"{source.folder}: the prediction of case {case_id} is not the one that this run made; run it again"
            )
        if made[case_id].image != self._content.images([case_id])[case_id]:
            raise DataError(
                f"{source.folder}: the prediction of case {case_id} was made from another image than today's; run it "
                "again on this data"
            )

    def _file(self, source: _Source, case_id: str) -> Path:
        place = source.folder if source.record is None else source.folder / "predictions"
        files = [file for ending in _ENDINGS if (file := place / f"{case_id}{ending}").is_file()]
        if source.record is not None and (case_id not in source.record["cases"] or not files):
            failed = source.record.get("failed_cases", {}).get(case_id)
            why = f"it failed there: {failed}" if failed else f"it segmented the part '{source.record.get('part')}'"
            raise DataError(
                f"{source.folder}: this run has no prediction of case {case_id} ({why}); run it on that case"
            )
        if len(files) != 1:
            found = "holds both" if files else "holds neither"
            raise DataError(
                f"{source.folder}: {found} {case_id}.nii.gz {'and' if files else 'nor'} {case_id}.nii; one mask for "
                "each case is needed, under its id"
            )
        return files[0]

    def _refuse_reference(self, file: Path, case_id: str, digest: str | None) -> None:
        """Raise LabelAccessError for a reference or a copy of one; `digest` is None for a mask with nothing in it."""
        for reference in reference_files(self._plan.dataset, (*self._plan.used_case_ids, case_id)):
            resolved = reference.resolve()
            if resolved not in self._references and resolved.is_file():
                self._references[resolved] = file_digest(resolved)
        if file.resolve() in self._references or digest in self._references.values():
            raise LabelAccessError(
                f"{file}: is a reference mask of the data set '{self._plan.dataset.name}', or a copy of one; "
                "predictions of another method were expected. A method that reads references declares it"
            )


def forget_outdated(plan: RunPlan) -> bool:
    """Remove all predictions of a run when a mask that it used is another one today; returns whether that was so.

    A mask that is gone is not another one: what was made with it stays.
    """
    sources: dict[str, Any] = plan.folder.record.get("mask_sources", {})
    outdated = any(
        _changed(Path(folder) / file["name"], file["sha256"])
        for folder, source in sources.items()
        for file in source["masks"].values()
    )
    if outdated:
        for case_id in plan.case_ids:
            plan.folder.forget_case(case_id)
        plan.folder.update({"state": "started", "mask_sources": {}})
    return outdated


def _changed(file: Path, sha256: str) -> bool:
    return file.is_file() and file_digest(file) != sha256
