"""What a run is made of: code, options and split, and the content of each image and reference that goes in."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.content import Content, identity_of
from unseg_bench.data.labels import SLICE_LABEL_PARTS
from unseg_bench.data.splits import PARTS, Split
from unseg_bench.data.store import PreparedCase
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import DataError, RunError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.digests import digest_of
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.made import made_in

SEGMENTED = "test"
"""The images to segment, of whichever part, as run.json names them."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What went in, by digest.

    made_of: digest of all but the seed and the images to segment; images: case to segment -> identity of its image;
    content: digest of the images by what they are for, as in `inputs_of`.
    """

    made_of: str
    images: Mapping[str, str]
    content: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of all but the seed."""
        return digest_of({"made of": self.made_of, "images": dict(self.images)})

    @property
    def learned_from(self) -> str:
        """Digest of the images that are learned from; where there are none, of those that are segmented."""
        learned = {part: digest for part, digest in self.content.items() if part != SEGMENTED}
        return digest_of(learned or dict(self.content))

    @property
    def facts(self) -> dict[str, Any]:
        """The entries of run.json."""
        return {"made_of": self.made_of, "content": dict(self.content)}


def inputs_of(chosen: Mapping[str, Any], content: Content, split: Split, used: Mapping[str, tuple[str, ...]]) -> Inputs:
    """Put together what goes into a run.

    `chosen`: code, options and whatever else was chosen (JSON values); `used`: the cases whose images are used, by what
    for: 'train', 'valid' and 'healthy' to learn from, 'test' to segment.
    """
    images = {name: content.images(case_ids) for name, case_ids in used.items()}
    digests = {name: digest_of(own) for name, own in images.items() if own}
    made_of = {
        **chosen,
        "split": [list(split.part(part)) for part in PARTS],
        "learned from": {name: digest for name, digest in digests.items() if name != SEGMENTED},
    }
    return Inputs(digest_of(made_of), images[SEGMENTED], digests)


def references_of(supervision: Supervision, content: Content, split: Split, healthy: tuple[str, ...]) -> dict[str, str]:
    """Return the identity of each reference that this supervision grants, by case: they go into what is made."""
    granted = SLICE_LABEL_PARTS[supervision]
    cases = [case_id for part in PARTS if part in granted for case_id in split.part(part)]
    return content.references((*cases, *(healthy if "other" in granted else ())))


def run_folder(parent: Path, begin: str, inputs: Inputs) -> RunFolder:
    """Return the folder of a run whose name starts with `begin`.

    It is the one that has these inputs in its name, or an earlier one that is made of the same and none of whose
    predictions is of another image: a case that failed may have been mended since.
    """
    named = RunFolder(parent / f"{begin}-{inputs.digest[:8]}")
    if (named.path / "run.json").is_file():
        return named
    kin = [RunFolder(file.parent) for file in parent.glob(f"{escape(begin)}-????????/run.json")]
    fitting = [run for run in kin if _agrees(run, inputs)]
    return max(fitting, key=lambda run: (str(run.record.get("started")), run.path.name), default=named)


def _agrees(run: RunFolder, inputs: Inputs) -> bool:
    with suppress(DataError):
        if run.record.get("made_of") == inputs.made_of:
            made = {case_id: one for case_id, one in made_in(run).items() if run.prediction(case_id).is_file()}
            return bool(made) and all(inputs.images.get(case_id) == one.image for case_id, one in made.items())
    return False


def refuse_changed_images(inputs: Inputs, dataset: Dataset, cohorts: Mapping[str, Cohort]) -> None:
    """Raise RunError when images are not those that were planned with, by which the run is named.

    `cohorts`: what the images are for -> the images as they were prepared; those that cannot be used may lack.
    """
    for name, cohort in cohorts.items():
        found = {case_id: identity_of(dataset, case_id, digest) for case_id, digest in cohort.digests.items()}
        if name == SEGMENTED:
            same = all(inputs.images[case_id] == identity for case_id, identity in found.items())
        else:
            same = not found or inputs.content[name] == digest_of(found)
        if not same:
            raise RunError(
                f"images of the part '{cohort.name}' have changed since this call began; the same command again makes "
                "a run of the images as they are then"
            )


def refuse_changed_image(prepared: PreparedCase, digest: str) -> None:
    """Raise DataError when an image is no longer the one that was prepared, with this digest, when the run began."""
    if prepared.digest != digest:
        raise DataError(f"{prepared.source.path}: has changed since the run began; the same command segments it again")
