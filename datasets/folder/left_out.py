"""Files that the patterns promise and that are not used: not fetched, named otherwise, or missing beside others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from unseg_bench import count_text, first_of

from .patterns import Matches, Pattern


def describe_left_out(
    image: Pattern, root: Path, images: Matches, references: Matches, others: Sequence[Matches]
) -> tuple[str, ...]:
    """Return a sentence for each kind of file that makes the cohort smaller than it looks, none where all are used."""
    found: list[str] = []
    for what, matches in (("image", images), ("reference", references), *(("image", other) for other in others)):
        found += _not_fetched(what, matches, root)
    lacking = {case_id: path for case_id, path in references.files.items() if case_id not in _cases(images, *others)}
    explained = {case_id: path for case_id, path in images.misspelt.items() if case_id not in images.files}
    for what, names in (("image", explained), ("reference", _without(references.misspelt, references.files))):
        if names:
            found.append(
                f"{count_text(len(names), 'name')} unlike the {what} pattern in upper and lower case "
                f"({_names(names.values(), root)}): rename"
            )
    if alone := _without(lacking, explained):
        found.append(f"{count_text(len(alone), 'reference')} without an image: {_names(alone.values(), root)}")
    known = {path.parent for matches in (images, references, *others) for path in matches.paths}
    known |= {path.parent for path in explained.values()}
    if folders := [folder for folder in image.folders(root) if folder not in known and _has_volumes(folder)]:
        found.append(
            f"{count_text(len(folders), 'folder')} with NIfTI files of which image '{image.pattern}' matches none: "
            f"{_names(folders, root)}"
        )
    return tuple(found)


def _not_fetched(what: str, matches: Matches, root: Path) -> list[str]:
    """Return a sentence for each reason."""
    by_reason: dict[str, list[Path]] = {}
    for path, reason in matches.not_fetched.values():
        by_reason.setdefault(reason, []).append(path)
    return [
        f"{count_text(len(paths), what)} not there ({_names(paths, root)}): {reason}"
        for reason, paths in by_reason.items()
    ]


def _cases(*all_matches: Matches) -> set[str]:
    return {case_id for matches in all_matches for case_id in (*matches.files, *matches.not_fetched)}


def _without(files: dict[str, Path], known: dict[str, Path]) -> dict[str, Path]:
    return {case_id: path for case_id, path in files.items() if case_id not in known}


def _has_volumes(folder: Path) -> bool:
    return any(path.name.endswith((".nii", ".nii.gz")) for path in folder.glob("[!.]*"))


def _names(paths: Iterable[Path], root: Path) -> str:
    return first_of(path.relative_to(root).as_posix() for path in paths)
