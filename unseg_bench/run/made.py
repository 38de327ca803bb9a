"""Which prediction was made from which image: made.jsonl in the run folder, one line a case, the last one counts."""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unseg_bench.data.atomic import append_line
from unseg_bench.data.digests import digests_of_readable, file_digest
from unseg_bench.errors import DataError
from unseg_bench.run.folder import RunFolder

if TYPE_CHECKING:
    from unseg_bench.data.store import PreparedCase
    from unseg_bench.plugins.dataset import Dataset

FILE = "made.jsonl"


@dataclass(frozen=True, slots=True)
class Made:
    """What one prediction was made from.

    image: identity of the case's image in the plan; image_file, image_sha256: the file that was read;
    prediction_sha256: the file that was written.
    """

    image: str
    image_file: str
    image_sha256: str
    prediction_sha256: str


def note_made(run: RunFolder, image: str, prepared: "PreparedCase") -> None:
    """Write down what a case's prediction, which is there, was made from; `image`: the image's identity in the plan."""
    case_id, file = prepared.case_id, prepared.source.path
    made = Made(image, str(file.resolve()), prepared.sha256, file_digest(run.prediction(case_id)))
    append_line(run.path / FILE, json.dumps({"case": case_id, **asdict(made)}, ensure_ascii=False), flushed=True)


def made_in(run: RunFolder) -> dict[str, Made]:
    """Return what is known of each prediction, by case; a line that a crash cut short tells nothing."""
    made: dict[str, Made] = {}
    for line in (run.text_of(FILE) or "").splitlines():
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            values = json.loads(line)
            case_id = str(values.pop("case"))
            made[case_id] = Made(**{name: str(value) for name, value in values.items()})
    return made


def refuse_other_image(run: RunFolder, made: Mapping[str, Made], dataset: "Dataset", prepared: "PreparedCase") -> None:
    """Raise DataError when a run's prediction of a case was made from another image than this one.

    `made`: what the run's predictions were made from; one of which nothing is known is taken as it is.
    """
    from unseg_bench.data.content import identity_of

    known = made.get(prepared.case_id)
    if known is not None and known.image != identity_of(dataset, prepared.case_id, prepared.digest):
        raise DataError(
            f"{prepared.source.path}: is not the image from which {run.prediction(prepared.case_id)} was made; give "
            "the data of that run with --data DIR, or run the method again"
        )


def forget_unfounded(run: RunFolder, dataset: "Dataset", images: Mapping[str, str]) -> str:
    """Remove each prediction that was not made from today's image or is not what was made; say so, '' for none.

    `images`: case -> identity of its image today. An image that the data set makes on demand is known by what it is
    made from; its file, where it is still there, must be the one that was read.
    """
    there = [case_id for case_id in images if run.prediction(case_id).is_file()]
    made = made_in(run)
    changed = _of_another_image(dataset, images, there, made)
    replaced = [case_id for case_id in replaced_in(run, there) if case_id not in changed]
    for case_id in (*changed, *replaced):
        run.forget_case(case_id)
    if changed or replaced:
        run.update({"state": "started"})
    return " and ".join(
        f"{len(cases)} of {len(images)} cases are segmented again, since their {what} (first {cases[0]})"
        for cases, what in ((changed, "images have changed"), (replaced, "predictions are not those that it made"))
        if cases
    )


def replaced_in(run: RunFolder, case_ids: Collection[str]) -> list[str]:
    """Return the cases whose prediction is not the file that was written for them."""
    made = made_in(run)
    digests = digests_of_readable(run.prediction(case_id) for case_id in case_ids)
    return [
        case_id
        for case_id in case_ids
        if case_id not in made or digests[run.prediction(case_id)] != made[case_id].prediction_sha256
    ]


def _of_another_image(
    dataset: "Dataset", images: Mapping[str, str], case_ids: list[str], made: Mapping[str, Made]
) -> list[str]:
    """Return the cases whose prediction was made from another image than today's."""
    known = [case_id for case_id in case_ids if case_id in made]
    files = {case_id: Path(made[case_id].image_file) for case_id in known if dataset.made_from(case_id) is not None}
    digests = digests_of_readable(files.values())
    return [
        case_id
        for case_id in known
        if images[case_id] != made[case_id].image
        or (case_id in files and digests[files[case_id]] not in {None, made[case_id].image_sha256})
    ]
