"""What a run's record says of its settings: which are not those of a plain call."""

from typing import ClassVar

import pytest

from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.run.method_card import make_card
from unseg_bench.run.settings import make_settings


class Inner(MethodOptions):
    alpha: float = 1.0
    beta: int = 2


class Outer(MethodOptions):
    inner: Inner = Inner()
    two_words: int = 10


class Plain(Method):
    name = "plain"
    Options = Outer
    presets: ClassVar = {"demo": {"two_words": 3}, "paper": {"inner": {"alpha": 7}}}

    def segment(self, volume, context):
        return volume.empty_mask()


class Needy(Plain):
    class Options(MethodOptions):
        path: str
        inner: Inner = Inner()

    name = "needy"
    presets: ClassVar = {}


def differs(method=Plain, preset=None, default="demo", **values):
    settings = make_settings({"methods": [method.name], "preset": preset, "set": values})
    return make_card(method.name, method, settings, default).differs


@pytest.mark.parametrize(
    ("settings", "preset", "options"),
    [
        ({}, None, {}),
        ({"preset": "demo"}, None, {}),
        ({"preset": "paper"}, "paper", {}),
        ({"default": "paper"}, None, {}),
        ({"two_words": 3, "inner.alpha": 1.0}, None, {}),
        ({"two-words": 10}, None, {"two_words": 10}),
        ({"inner": {"beta": 5}}, None, {"inner.beta": 5}),
        ({"preset": "paper", "inner.alpha": 1}, "paper", {"inner.alpha": 1.0}),
    ],
)
def test_only_what_differs_from_the_presets_own_is_told(settings, preset, options):
    assert differs(**settings) == {"preset": preset, "options": options}


def test_a_method_without_presets_and_one_whose_option_has_no_default():
    assert differs(Needy, path="x") == {"preset": None, "options": {"path": "x"}}
    assert differs(Needy, **{"needy:path": "x", "inner.beta": 3})["options"] == {"path": "x", "inner.beta": 3}
