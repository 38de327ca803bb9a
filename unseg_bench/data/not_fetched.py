"""Files whose content is elsewhere: links to nowhere, and the pointers of git-annex and git-lfs."""

from pathlib import Path

_POINTER_BYTES = 4096
"""A pointer is a few lines of text; no larger file is opened to look for one."""
_POINTERS = {
    b"/annex/objects/": "a git-annex pointer; fetch the content: git annex get (or datalad get)",
    b"version https://git-lfs.github.com/": "a git-lfs pointer; fetch the content: git lfs pull",
}


def not_fetched(path: Path) -> str:
    """Say what stands in a file's place and how to fetch its content; '' where the content is there, or nothing is."""
    try:
        size = path.stat().st_size
    except OSError:
        return _dangling(path)
    if not (0 < size <= _POINTER_BYTES and path.is_file()):
        return ""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return ""
    return next((text for start, text in _POINTERS.items() if head.startswith(start)), "")


def _dangling(path: Path) -> str:
    if not path.is_symlink():
        return ""
    if "annex/objects" in path.readlink().as_posix():
        return "a git-annex link to nowhere; fetch the content: git annex get (or datalad get)"
    return "a link to nowhere; mend the link, or put the file where it points"
