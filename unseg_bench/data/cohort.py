"""A cohort: the volumes of one part of a split, loaded one at a time. It has images and no masks."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

from unseg_bench.data.volume import Volume


class Cohort:
    """An ordered set of volumes; iterating loads one after the other, so memory does not grow with the cohort.

    `name` says which part it is ('train', 'valid', 'test', 'healthy'). `digest` identifies the content: ids and images;
    `digests` has that of each image, by case id.
    """

    def __init__(self, name: str, digests: Sequence[tuple[str, str]], load: Callable[[str], Volume]) -> None:
        """`digests`: (case id, digest of its prepared image) in order; `load`: case id -> Volume."""
        self.name = name
        self.digests: dict[str, str] = dict(digests)
        self.case_ids: tuple[str, ...] = tuple(case_id for case_id, _ in digests)
        listing = "\n".join(f"{case_id} {digest}" for case_id, digest in digests)
        self.digest = hashlib.sha256(listing.encode()).hexdigest()
        self._load = load

    def __len__(self) -> int:
        return len(self.case_ids)

    def __iter__(self) -> Iterator[Volume]:
        return (self._load(case_id) for case_id in self.case_ids)

    def __getitem__(self, case_id: str) -> Volume:
        if case_id not in self.case_ids:
            raise KeyError(f"{case_id} is not in the cohort '{self.name}'")
        return self._load(case_id)

    def __repr__(self) -> str:
        return f"Cohort({self.name!r}, {len(self)} cases)"

    def renamed(self, names: Mapping[str, str]) -> Self:
        """Return the same volumes under other ids, in the order of those; `names`: id here -> id there."""
        back = {names[case_id]: case_id for case_id in self.case_ids}

        def load(case_id: str) -> Volume:
            return replace(self._load(back[case_id]), case_id=case_id)

        return type(self)(self.name, [(case_id, self.digests[back[case_id]]) for case_id in sorted(back)], load)

    def part(self, case_ids: Sequence[str]) -> Self:
        """Return these of its cases as a cohort of the same name, in this one's order and loaded as here.

        The digest follows from this cohort's and the ids: all cases have this one's. Raises KeyError for a stranger.
        """
        if strangers := sorted(set(case_ids) - set(self.case_ids)):
            raise KeyError(f"{strangers[0]} is not in the cohort '{self.name}'")
        chosen = [case_id for case_id in self.case_ids if case_id in set(case_ids)]
        # Not from the images' digests: whoever knows the cohort's digest alone, as a dry run does, knows the part's.
        part = type(self)(self.name, [(case_id, self.digest) for case_id in chosen], self._load)
        if len(part) == len(self):
            part.digest = self.digest
        return part
