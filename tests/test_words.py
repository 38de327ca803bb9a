"""Names in a sentence."""

from unseg_bench.words import count_text, first_of


def test_long_lists_are_cut_short():
    assert first_of("ab") == "a, b"
    assert first_of("abc") == "a, b, c"
    assert first_of(letter for letter in "abcde") == "a, b, c and 2 more"
    assert first_of("abcde", 1) == "a and 4 more"


def test_one_has_no_plural():
    assert [count_text(number, "case") for number in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
