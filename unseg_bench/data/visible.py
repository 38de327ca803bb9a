"""Text that comes from elsewhere, fit to be shown: control characters are written out, never sent to a terminal."""

import unicodedata


def visible(text: str, keep: str = "") -> str:
    r"""Return `text` with all that cannot be printed written out ('\x1b', '\u202e'), but for the characters of `keep`.

    Spaces of any width stay; what is not valid Unicode (a file name in another encoding) is written out too.
    """
    if text.isprintable():
        return text
    return "".join(letter if _is_harmless(letter) or letter in keep else _written_out(letter) for letter in text)


def _is_harmless(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"


def _written_out(letter: str) -> str:
    """As Python writes it, but for the bytes of file names that are not UTF-8: those as bytes."""
    code = ord(letter)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(letter)[1:-1]
