"""Which file is which case's prediction: by names, whole words only, and refused where two readings are possible."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from unseg_bench.errors import DataError, SettingsError

_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True, slots=True)
class Matching:
    """files: one a case, in the order asked for; missing: cases without a file.

    strangers: files that fit no case of the data set; other_parts: files of its cases that were not asked for.
    """

    files: Mapping[str, Path]
    missing: tuple[str, ...]
    strangers: tuple[Path, ...]
    other_parts: tuple[Path, ...]


def match_files(folder: Path, wanted: Sequence[str], known: Iterable[str], pattern: str | None = None) -> Matching:
    """Find the file of each wanted case in `folder`; `known` are all case ids of the data set.

    Without a pattern a file is `<case>.nii.gz`, `<case>_<anything>`, `<anything>_<case>`, or the only one in a
    sub-folder `<case>`. In a pattern, relative to the folder, the first '*' is the case id, or '{case}' if it is there.
    Raises DataError where there are no files, two for one case, or two cases for one file; SettingsError for a pattern
    without a place for the case id.
    """
    ids = {*known, *wanted}
    fitting = _by_pattern(folder, pattern, ids) if pattern is not None else _by_name(folder, ids)
    owner: dict[str, Path] = {}
    for path, cases in fitting.items():
        if len(cases) > 1:
            raise DataError(
                f"{path}: its name fits case {cases[0]} and case {cases[1]}; rename it, or say where the case id "
                "stands: --pattern 'pred_*.nii.gz'"
            )
        for case in cases:
            if case in owner:
                raise DataError(_twins(folder, case, owner[case], path))
            owner[case] = path
    return Matching(
        files={case: owner[case] for case in wanted if case in owner},
        missing=tuple(case for case in wanted if case not in owner),
        strangers=tuple(path for path, cases in fitting.items() if not cases),
        other_parts=tuple(path for case, path in owner.items() if case not in wanted),
    )


def fitting_cases(stem: str, known: Set[str]) -> tuple[str, ...]:
    """Return the cases that a file name without its ending may mean: none, one, or two, when it begins as one and ends
    as the other.

    The whole name comes first, then the longest id at either end; an id ends at '_' or where the name does.
    """
    if stem in known:
        return (stem,)
    cuts = [place for place, letter in enumerate(stem) if letter == "_"]
    first = next((stem[:cut] for cut in reversed(cuts) if stem[:cut] in known), None)
    last = next((stem[cut + 1 :] for cut in cuts if stem[cut + 1 :] in known), None)
    return tuple(dict.fromkeys(case for case in (first, last) if case is not None))


def _by_name(folder: Path, known: Set[str]) -> dict[Path, tuple[str, ...]]:
    found = {
        path: fitting_cases(path.name.removesuffix(".gz").removesuffix(".nii"), known)
        for path in _nifti_files(folder, 0)
    }
    for path in _nifti_files(folder, 1):
        found[path] = (path.parent.name,) if path.parent.name in known else ()
    if not found:
        raise DataError(f"{folder}: no .nii or .nii.gz file here; give the folder that holds one mask a case")
    return found


def _by_pattern(folder: Path, pattern: str, known: Set[str]) -> dict[Path, tuple[str, ...]]:
    any_id = _regex(pattern, "[^/]+")
    known_id = _regex(pattern, "|".join(re.escape(case) for case in sorted(known, key=len, reverse=True)))
    found: dict[Path, tuple[str, ...]] = {}
    for path in _nifti_files(folder, pattern.count("/")):
        name = path.relative_to(folder).as_posix()
        if match := known_id.fullmatch(name):
            found[path] = (match["case"],)
        elif any_id.fullmatch(name):
            found[path] = ()
    if not found:
        raise DataError(f"--pattern '{pattern}' matches no .nii or .nii.gz file in {folder}; check folder and pattern")
    return found


def _regex(pattern: str, case: str) -> re.Pattern[str]:
    """A pattern as a regular expression with the group `case`; the ending of the file may be left out."""
    pieces = pattern.split("{case}") if "{case}" in pattern else pattern.split("*", 1)
    if len(pieces) == 1:
        raise SettingsError(f"--pattern '{pattern}' needs a '*' or '{{case}}' where the case id stands in the name")
    before, after, *others = (_wildcards(piece) for piece in pieces)
    again = "".join(f"(?P=case){piece}" for piece in others)
    return re.compile(rf"{before}(?P<case>{case}){after}{again}(?:\.nii(?:\.gz)?)?")


def _wildcards(text: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter)) for letter in text)


def _nifti_files(folder: Path, depth: int) -> list[Path]:
    """NIfTI files so many folders below, in order of name; hidden ones, such as macOS's '._*', do not count."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder that holds the predicted masks")
    return [
        path
        for path in sorted(folder.glob("/".join(["*"] * (depth + 1))))
        if path.name.endswith(_ENDINGS)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]


def _twins(folder: Path, case: str, one: Path, other: Path) -> str:
    """What to say of two files that fit one case."""
    name = other.relative_to(folder).as_posix()
    pattern = name.replace(case, "*", 1) if "*" not in name else "{case}.nii.gz"
    return (
        f"{one} and {other} both fit case {case}; leave one of them in the folder, or say which it is: "
        f"--pattern '{pattern}'"
    )
