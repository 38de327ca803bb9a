"""The host of a run answers whatever the method's Context asks. Each check is here, once, wherever the method works.

Case ids that come in and go out are those that the method sees (`run.case_names`); here they become the data set's.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

import numpy as np

from unseg_bench.blocks.weights import WeightsFile, find_entry, known_weights, locate
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelAccess
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedCase, PreparedStore, build_cohort
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import DataError, LabelAccessError, RunError, WeightsError
from unseg_bench.plugins.device import kind_of_device, settle_device
from unseg_bench.plugins.host import Host, LabelKind, Unfinished
from unseg_bench.plugins.stage import Artifact, check_stage_name
from unseg_bench.plugins.stage_cache import Attempt, Kept, StageCache, take_newest
from unseg_bench.plugins.tables import Rows, refuse_own_name
from unseg_bench.run.case_names import CaseNames
from unseg_bench.run.case_outputs import CaseOutputs
from unseg_bench.run.identity import refuse_changed_images
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.mask_sources import MaskSources
from unseg_bench.run.permits import Permits
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.progress import Reporter
from unseg_bench.run.session.seal import owner_of
from unseg_bench.run.tables import write_table
from unseg_bench.run.watch import unwatched
from unseg_bench.sandbox.workspace import Workspace


class RunHost(Host):
    """Serves one run in a session of a mode; stages are shared by the runs of its plugin.

    `since` (seconds since 1970): stages from before are stale. `make_stages`: whether a stage that is not there is
    made; else asking for it is an error. `tells_of_kept`: whether the reporter hears of stages that were there.
    `hushed`: it hears of no stage at all. A method may run some in `segment` for every case, and the bar of the cases
    is what people want to see then.
    `outputs` None: maps, alternatives and confidences are forgotten, as for pictures of a case, which its run looked at
    before.
    """

    def __init__(
        self,
        plan: RunPlan,
        mode: str,
        store: PreparedStore,
        names: CaseNames,
        ledger: Ledger,
        outputs: CaseOutputs | None,
        reporter: Reporter,
        *,
        since: float | None = None,
        make_stages: bool = True,
    ) -> None:
        self.device = settle_device(plan.settings.device).name
        self.seed, self.offline = plan.seed, plan.settings.offline
        self.make_stages, self.tells_of_kept, self.hushed = make_stages, True, False
        self._workspace: Workspace | None = None
        self._plan, self._store, self._names, self._ledger = plan, store, names, ledger
        self._outputs, self._reporter, self._permits = outputs, reporter, Permits(plan, mode)
        self._labels = LabelAccess(plan.dataset, plan.split, plan.method.supervision, store, ledger.add_read)
        self._masks = MaskSources(plan, store, ledger)
        self._cache = StageCache(
            cache_dir().resolve() / "stages" / owner_of(plan.method.where),
            plan.folder.partials.resolve(),
            may_take=lambda history: self._permits.may_take(history, ledger.history),
            adds_nothing=lambda history: history.adds_nothing_to(ledger.history),
            since=since or 0.0,
        )
        self._open: list[tuple[AbstractContextManager[Attempt], Attempt]] = []

    def open_case(self, name: str) -> PreparedCase:
        """Return the case that the method sees under this name."""
        case_id = self._names.real(name)
        return self._store.prepare(case_id, self._plan.dataset.image(case_id))

    def hand_through(self, workspace: Workspace) -> None:
        """From now on put files where the process in this workspace can read them."""
        self._workspace = workspace

    def close(self) -> None:
        """Let go of the stages that were not finished; their checkpoints stay."""
        while self._open:
            self.stage_failed()

    def label(self, kind: LabelKind, case_id: str, purpose: str) -> Mask:
        """Return a reference if it was declared; it is in the ledger before."""
        ask = {"mask": self._labels.mask, "slice-labels": self._labels.slice_labels}[kind]
        with unwatched():
            return ask(self._names.real(str(case_id)), str(purpose))

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return a mask of a source that the user named; raises DataError for another source, RunError in a stage."""
        if self._open:
            raise RunError(
                f"{source}: masks of other runs are asked for outside of stages, whose results are kept for runs that "
                "never asked; hand them to the stage by `extras`, with a digest of them as an input"
            )
        if source not in self._permits.named:
            raise DataError(
                f"{source}: masks come from a folder that the user names in an option of the method "
                "(--set, or a settings file), never from elsewhere"
            )
        with unwatched():
            return self._masks.mask(source, self._names.real(str(case_id)))

    def healthy(self) -> Cohort:
        """Return the data set's healthy cases."""
        dataset, folder = self._plan.dataset, self._plan.folder
        with unwatched():
            cohort = build_cohort("healthy", dataset.healthy(), dataset, self._store, self._reporter.step)
            refuse_changed_images(self._plan.inputs, dataset, {"healthy": cohort})
            hidden = self._names.hide(cohort)
            images = {**folder.record.get("images", {}), "healthy": hidden.digest}
            folder.update({"images": images, "case_names": self._names.to_json()})
            return hidden

    def stage(self, name: str, key: Mapping[str, Any], cases: int) -> Artifact | Unfinished:
        """Return the result of a stage if there is one that this run may take, else where to make it."""
        check_stage_name(str(name))
        if key.get("stage") != name:
            raise RunError(f"stage {name!r}: its key is that of stage {key.get('stage')!r}")
        with unwatched():
            if (found := self._cache.look_up(name, key)) is not None:
                return self._take(found, cached=True)
            if not self.make_stages:
                raise DataError(
                    f"the result of stage '{name}' is no longer in the cache ({self._cache.folder}); "
                    "`ubench run ... --force` makes it again as the run did, --recompute does it here"
                )
            if not self._quiet:
                self._reporter.stage_begins(name)
            work = {"cases": int(cases), "data": self._plan.inputs.learned_from, "preset": self._plan.preset}
            manager = self._cache.attempt(
                name, key, device=self.device, history=lambda: self._ledger.history, on_wait=self._reporter.message,
                work=work,
            )  # fmt: skip
            attempt = manager.__enter__()
            if attempt.kept is not None:
                manager.__exit__(None, None, None)
                return self._take(attempt.kept, cached=False)
        self._open.append((manager, attempt))
        return attempt.place

    def stage_done(self) -> Artifact:
        """Keep what the newest unfinished stage has made."""
        manager, attempt = take_newest(self._open)
        with unwatched():
            manager.__exit__(None, None, None)
            return self._take(attempt.result, cached=False)

    def stage_failed(self) -> None:
        """Let go of the newest unfinished stage."""
        manager, _ = take_newest(self._open)
        error = RunError("the stage failed")
        with suppress(RunError):
            manager.__exit__(RunError, error, None)

    def weights(self, name: str, offline: bool) -> WeightsFile:
        """Find, fetch and check weights: known ones, or a file that the user named. They are in the ledger before."""
        with unwatched():
            file, published = self._find_weights(str(name), bool(offline))
            self._ledger.add_weights(file.name, file.sha256, published=published)
            entry, workspace = known_weights().get(file.name), self._workspace
            packaged = entry is not None and entry.packaged is not None
            path = file.path if packaged or workspace is None else workspace.hand_over(file.path, file.sha256)
        return WeightsFile(path, file.sha256, file.name)

    def record_weights(self, name: str, sha256: str) -> None:
        """Write into run.json which weights the method says it used."""
        known: dict[str, str] = self._plan.folder.record.get("weights", {})
        if known.get(name) != sha256:
            self._plan.folder.update({"weights": {**known, str(name): str(sha256)}})

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the log."""
        self._plan.folder.log(str(event), self._names.restore(dict(values)))

    def table(self, name: str, rows: Rows) -> None:
        """Write `tables/<name>.csv`."""
        refuse_own_name(str(name))
        write_table(self._plan.folder, str(name), self._names.restore(list(rows)))

    def keep_map(self, case_id: str, scores: Image) -> None:
        """Write `maps/<case>.nii.gz` if maps are kept."""
        if self._outputs is not None:
            self._outputs.keep_map(self._names.real(str(case_id)), np.asarray(scores))

    def alternative(self, case_id: str, name: str, mask: Mask) -> None:
        """Write `alternatives/<name>/<case>.nii.gz`."""
        if self._outputs is not None:
            self._outputs.alternative(self._names.real(str(case_id)), str(name), np.asarray(mask))

    def confidence(self, case_id: str, value: float, parts: Mapping[str, float]) -> None:
        """Write a case's confidence into run.json."""
        if self._outputs is not None:
            self._outputs.confidence(self._names.real(str(case_id)), value, parts)

    def progress(self, done: int, total: int, note: str) -> None:
        """Tell the reporter, but for the steps of a stage that it did not hear of."""
        if not (self.hushed and self._open):
            self._reporter.step(int(done), int(total), self._names.restore(str(note)))

    @property
    def _quiet(self) -> bool:
        """Whether the reporter hears of no stage now: one inside another stage is a part of that."""
        return self.hushed or bool(self._open)

    def _take(self, kept: Kept, *, cached: bool) -> Artifact:
        """Have a result: its history is this run's from now on, and in the ledger before the method has it."""
        self._ledger.inherit(kept.history)
        artifact = kept.artifact
        if not self._quiet and (self.tells_of_kept or not cached):
            self._reporter.stage_ends(artifact.stage, kept.seconds, cached=cached)
            if kind_of_device(kept.device) != kind_of_device(self.device):
                self._reporter.message(f"{artifact.stage} was made on another kind of device ({kept.device})")
        values = {"stage": artifact.stage, "digest": artifact.digest, "seconds": 0.0 if cached else kept.seconds}
        values["device"] = kept.device
        self._plan.folder.log("stage", {**values, "cached": cached})
        workspace, folder = self._workspace, artifact.folder
        folder = folder if workspace is None else workspace.hand_over_folder(folder)
        return Artifact(artifact.stage, folder, artifact.digest)

    def _find_weights(self, name: str, offline: bool) -> tuple[WeightsFile, bool]:
        """Return the file, and whether its digest is one that its publisher gave."""
        if find_entry(name) is not None:
            entry = known_weights().get(name)
            return locate(name, offline=offline), entry is not None and entry.sha256 is not None
        if self._permits.is_named_file(name):
            file = locate(name, offline=offline)
            if file.sha256 in self._permits.reference_digests():
                raise LabelAccessError(
                    f"{name}: has the bytes of a reference mask of the data set '{self._plan.dataset.name}'; weights "
                    "were expected. A method that reads references declares it"
                )
            return file, any(file.sha256 == known.sha256 for known in known_weights().values())
        raise WeightsError(
            f"{name}: weights are those with a name (`ubench weights`) or files that an option of the "
            "method names, set by the user (--set, or a settings file), and no files of the data set or of runs"
        )
