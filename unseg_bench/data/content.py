"""What identifies the content of a data set's images and references, known without opening or making any."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from unseg_bench.data.digests import digests_of_readable
from unseg_bench.data.files import CaseFiles, if_there
from unseg_bench.data.prepare import PREPARATION_VERSION

MISSING = "missing"
"""Identity of a file that is not there, or cannot be read."""


def prepared_digest(sha256: str, channel: int | None) -> str:
    """Return what identifies the prepared volume of an image file with this SHA-256."""
    description = f"{sha256} channel {channel} preparation {PREPARATION_VERSION}"
    return hashlib.sha256(description.encode()).hexdigest()


def identity_of(dataset: CaseFiles, case_id: str, digest: str) -> str:
    """Return the identity of an image whose prepared volume has this digest, as `Content` knows it beforehand."""
    recipe = dataset.made_from(case_id)
    return digest if recipe is None else _digest_of_recipe(recipe)


class Content:
    """The identities of a data set's images and references; each file is looked at once.

    Of a file it is the digest of its content; of a case whose files the data set makes on demand, that of what they are
    made from (`Dataset.made_from`), so that none is made.
    """

    def __init__(self, dataset: CaseFiles) -> None:
        self._dataset = dataset
        self._images: dict[str, str] = {}
        self._references: dict[str, str] = {}

    def images(self, case_ids: Iterable[str]) -> dict[str, str]:
        """Return the identity of each case's image, as the prepared volume will have it where it is a file."""
        return self._all(case_ids, self._images, self._image, prepared_digest)

    def references(self, case_ids: Iterable[str]) -> dict[str, str]:
        """Return the identity of each case's reference; where the data set has none, that is 'missing' too."""
        return self._all(case_ids, self._references, self._reference, lambda sha256, _: sha256)

    def _all(
        self,
        case_ids: Iterable[str],
        known: dict[str, str],
        source_of: Callable[[str], tuple[Path, int | None] | None],
        identity: Callable[[str, int | None], str],
    ) -> dict[str, str]:
        ids = tuple(case_ids)
        files: dict[str, tuple[Path, int | None]] = {}
        for case_id in ids:
            if case_id in known:
                continue
            if (recipe := self._dataset.made_from(case_id)) is not None:
                known[case_id] = _digest_of_recipe(recipe)
            elif (source := source_of(case_id)) is None:
                known[case_id] = MISSING
            else:
                files[case_id] = source
        digests = digests_of_readable(path for path, _ in files.values())
        for case_id, (path, channel) in files.items():
            sha256 = digests[path]
            known[case_id] = MISSING if sha256 is None else identity(sha256, channel)
        return {case_id: known[case_id] for case_id in ids}

    def _image(self, case_id: str) -> tuple[Path, int | None] | None:
        image = if_there(self._dataset.image, case_id)
        return None if image is None else (image.path, image.channel)

    def _reference(self, case_id: str) -> tuple[Path, int | None] | None:
        reference = if_there(self._dataset.reference, case_id)
        return None if reference is None else (reference.path, None)


def _digest_of_recipe(recipe: Mapping[str, object]) -> str:
    text = json.dumps([recipe, PREPARATION_VERSION], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
