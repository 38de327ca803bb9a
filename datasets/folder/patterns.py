"""Patterns such as '*/Flair*.nii.gz': which files they match, and which part of a path is the case and the patient."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field
from glob import escape, glob
from pathlib import Path

from unseg_bench import DataError, check_case_id, not_fetched

_PIECES = re.compile(r"(\{case\}|\{patient\}|\{session\}|\*\*/|\*|\?)")
_FIRST = {"{case}": "(?P<case>[^/]+?)", "{patient}": "(?P<patient>[^/]+)", "{session}": "(?P<session>[^/]+?)"}
_AGAIN = {"{case}": "(?P=case)", "{patient}": "(?P=patient)", "{session}": "(?P=session)"}
_WILD = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


@dataclass(slots=True)
class Matches:
    """What a pattern found, by case id: files, patients, files not fetched, and names that differ in case (of letters).

    `not_fetched` holds path and reason.
    """

    files: dict[str, Path] = field(default_factory=dict[str, Path])
    patients: dict[str, str] = field(default_factory=dict[str, str])
    not_fetched: dict[str, tuple[Path, str]] = field(default_factory=dict[str, tuple[Path, str]])
    misspelt: dict[str, Path] = field(default_factory=dict[str, Path])

    @property
    def paths(self) -> set[Path]:
        """All files that were found, fetched or not."""
        return {*self.files.values(), *(path for path, _ in self.not_fetched.values())}


class Pattern:
    """A pattern of paths relative to the data folder.

    '*' and '?' match within one name, '**/' any folders, '{case}' the id; without '{case}' the first '*' is the id.
    '{patient}' with '{session}' (or a first '*') make the id: both, with what stands between them in one name, or '_'.
    """

    def __init__(self, option: str, pattern: str, joiner: str | None = None) -> None:
        """`option` is named in messages; `joiner` stands between patient and session in ids.

        Raises DataError when no part of the pattern can be the case id.
        """
        while pattern.startswith("./"):  # as a shell's completion writes it
            pattern = pattern.removeprefix("./")
        self.option, self.pattern = option, pattern
        if Path(pattern).is_absolute():
            raise DataError(f"{option} '{pattern}' must be relative to the folder that the option data names")
        parts = self._marked(_PIECES.split(pattern))
        self.joiner = joiner or _joiner(parts)
        expression = _regex(parts)
        self._exact, self._loose = re.compile(expression), re.compile(expression, re.IGNORECASE)
        self._glob = "".join(_glob(part) for part in parts)
        folder = pattern.rpartition("/")[0]
        self._folders = "" if "**" in folder else "".join(_glob(part) for part in _PIECES.split(folder))

    def case_id(self, name: str) -> str | None:
        """Return the id in a path relative to the data folder, None if the pattern does not match it."""
        match = self._exact.fullmatch(name)
        return self._id(match) if match else None

    def find(self, root: Path, without: Set[Path] = frozenset()) -> Matches:
        """Return what the pattern matches but for `without`; raises DataError for no match, twins and unsafe ids."""
        found = Matches()
        # Unlike Path.glob this leaves out hidden files, such as the '._*' that macOS adds to what it copies.
        for name in sorted(glob(self._glob, root_dir=root, recursive=True)):  # noqa: PTH207
            path = root / name
            posix = Path(name).as_posix()
            if path in without:
                continue
            if match := self._exact.fullmatch(posix):
                self._add(found, match, path)
            elif (match := self._loose.fullmatch(posix)) and path.is_file():
                found.misspelt[self._id(match)] = path
        if not (found.files or found.not_fetched):
            also = " (other than reference masks)" if without else ""
            raise DataError(f"{self.option} '{self.pattern}' matches no file{also} in {root}; check folder and pattern")
        return found

    def folders(self, root: Path) -> list[Path]:
        """Return the folders in which files of this pattern may lie; none where it says any folder ('**/')."""
        if not self._folders:
            return []
        return [root / name for name in sorted(glob(self._folders, root_dir=root)) if (root / name).is_dir()]  # noqa: PTH207

    def _add(self, found: Matches, match: re.Match[str], path: Path) -> None:
        reason = not_fetched(path)
        if not reason and not path.is_file():
            return
        case_id = self._id(match)
        known = found.files.get(case_id) or found.not_fetched.get(case_id, (None, ""))[0]
        if known:
            raise DataError(
                f"{self.option} '{self.pattern}': {known} and {path} both stand for case {case_id}; "
                "make the pattern narrower, or mark the id with {case}"
            )
        patient = match.groupdict().get("patient") or case_id
        try:
            check_case_id(case_id)
            check_case_id(patient)
        except DataError as error:
            raise DataError(f"{self.option} '{self.pattern}', file {path}: {error}") from None
        found.patients[case_id] = patient
        if reason:
            found.not_fetched[case_id] = path, reason
        else:
            found.files[case_id] = path

    def _id(self, match: re.Match[str]) -> str:
        groups = match.groupdict()
        return groups["case"] if "case" in groups else groups["patient"] + self.joiner + groups["session"]

    def _marked(self, parts: list[str]) -> list[str]:
        """Put a mark where the id stands unmarked; raises DataError where there is no such place."""
        if "{case}" in parts:
            if "{session}" in parts:
                raise DataError(f"{self.option} '{self.pattern}': '{{case}}' is the whole id; leave out '{{session}}'")
            return parts
        if "{session}" in parts and "{patient}" not in parts:
            raise DataError(f"{self.option} '{self.pattern}': '{{session}}' needs '{{patient}}' beside it")
        if "{session}" in parts:
            return parts
        if "*" not in parts:
            raise DataError(
                f"{self.option} '{self.pattern}' needs a '*' or '{{case}}' where the case id stands in the path, or "
                "'{patient}' and '{session}'"
            )
        mark = "{session}" if "{patient}" in parts else "{case}"
        place = parts.index("*")
        return [*parts[:place], mark, *parts[place + 1 :]]


def _joiner(parts: list[str]) -> str:
    """Return what stands between patient and session in one name, '_' where they are in two folders."""
    between = "/"
    for before, middle, after in zip(parts, parts[1:], parts[2:], strict=False):
        if (before, after) == ("{patient}", "{session}"):
            between = middle
            break
    return "_" if "/" in between or not between else between


def _regex(parts: list[str]) -> str:
    pieces: list[str] = []
    seen: set[str] = set()
    for part in parts:
        if part in _FIRST:
            pieces.append(_AGAIN[part] if part in seen else _FIRST[part])
            seen.add(part)
        else:
            pieces.append(_WILD.get(part, re.escape(part)))
    return "".join(pieces)


def _glob(part: str) -> str:
    """Return a piece for glob, which also finds names that differ in upper and lower case."""
    if part in _FIRST:
        return "*"
    if part in _WILD:
        return part
    return "".join(f"[{letter.lower()}{letter.upper()}]" if _has_case(letter) else escape(letter) for letter in part)


def _has_case(letter: str) -> bool:
    return len(letter.lower()) == len(letter.upper()) == 1 and letter.lower() != letter.upper()
