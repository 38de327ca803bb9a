"""What a run keeps beside its predictions: their maps, where asked for, alternative answers, and confidences."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from unseg_bench.data.store import PreparedCase
from unseg_bench.errors import RunError
from unseg_bench.plugins.confidence import check_part_names, checked_confidence
from unseg_bench.plugins.outputs import checked_alternative, checked_map, outside_segment
from unseg_bench.run.folder import RunFolder

MOST_ALTERNATIVES = 100
"""Of one case."""


class CaseOutputs:
    """Takes what `segment` hands over and writes it; the case's prediction, written after it, makes it count.

    Maps and alternatives are files, written at once; confidences are in run.json, written when the case has ended.
    With `keep_maps`, run.json names the cases that came without a map, so that they are not segmented for one again.
    """

    def __init__(self, folder: RunFolder, *, keep_maps: bool) -> None:
        self._folder, self._keep_maps = folder, keep_maps
        self._case: PreparedCase | None = None
        self._map_came = False
        self._names: set[str] = set()
        self._stated: dict[str, Any] | None = None

    @contextmanager
    def case(self, prepared: PreparedCase) -> Generator[None]:
        """Take what is handed over for this case inside; what there was of it goes, and all of it after an error."""
        case_id = prepared.case_id
        self._folder.forget_case(case_id)
        self._case, self._map_came, self._names, self._stated = prepared, False, set(), None
        try:
            yield
        except BaseException:
            self._folder.forget_case(case_id)
            raise
        finally:
            self._case = None
        if self._keep_maps:
            self._note_whether_a_map_came(case_id)
        if self._stated is not None:
            self._folder.update({"confidences": {**self._folder.confidences, case_id: self._stated}})

    def keep_map(self, case_id: str, scores: object) -> None:
        """Check a map (X, Y, Z), and write it if maps are kept.

        Raises ValueError for what is no map of the case, or a second one; RunError outside of the case.
        """
        prepared = self._open(case_id, "keep_map")
        if self._map_came:
            raise ValueError(f"keep_map: case {case_id} has a map already; one is kept")
        values = checked_map(prepared.placement.shape, scores)
        self._map_came = True
        if self._keep_maps:
            prepared.write_map(self._folder.map_file(case_id), values)

    def alternative(self, case_id: str, name: str, mask: object) -> None:
        """Check another answer, (X, Y, Z) bool, and write it.

        Raises ValueError for a bad name, one that the case has already, or what is no mask of the case; RunError
        outside of the case and where there are too many.
        """
        prepared = self._open(case_id, f"alternative {name!r}")
        checked = checked_alternative(prepared.placement.shape, name, mask)
        if name in self._names:
            raise ValueError(f"alternative {name!r}: case {case_id} has one of this name already")
        if len(self._names) == MOST_ALTERNATIVES:
            raise RunError(f"alternative {name!r}: case {case_id} has {MOST_ALTERNATIVES} already; no more are kept")
        self._names.add(name)
        prepared.write_prediction(self._folder.alternative(name, case_id), checked)

    def confidence(self, case_id: str, value: object, parts: object) -> None:
        """Check a confidence, 0 to 1, and the numbers that it was made of, by name; kept when the case has ended.

        Raises ValueError for what is none, a second one, and more names of parts than a run may have; RunError outside
        of the case.
        """
        self._open(case_id, "confidence")
        number, numbers = checked_confidence(value, parts)
        if self._stated is not None:
            raise ValueError(f"confidence: case {case_id} has one already; it is stated once")
        check_part_names([*numbers, *(name for one in self._folder.confidences.values() for name in one["parts"])])
        self._stated = {"value": number, "parts": numbers}

    def _open(self, case_id: str, what: str) -> PreparedCase:
        if self._case is None or self._case.case_id != case_id:
            raise outside_segment(what)
        return self._case

    def _note_whether_a_map_came(self, case_id: str) -> None:
        known = self._folder.without_map
        now = known - {case_id} if self._map_came else known | {case_id}
        if now != known:
            self._folder.update({"without_map": sorted(now)})
