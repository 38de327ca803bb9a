"""What must change a stage's key, and what must not."""

import numpy as np
import pytest

from unseg_bench.data.cohort import Cohort
from unseg_bench.plugins import digests
from unseg_bench.plugins.context import Artifact, Stage
from unseg_bench.plugins.digests import code_digest, digest_of
from unseg_bench.plugins.method import MethodOptions
from unseg_bench.plugins.stage import Call

SOURCE = '''
"""Docstring."""
import math
def work(x):
    """Do it."""
    return math.sqrt(x)
'''


class Options(MethodOptions):
    a: int = 1
    b: float = 0.5


@pytest.fixture(autouse=True)
def _no_memory():
    """Code does not change under a running process, so digests are remembered; these tests do change it."""
    digests.code_digest.cache_clear()
    digests._normal_form.cache_clear()


def key(module, options=None, inputs=None, seed=0, *, name="step", seeded=True):
    digests.code_digest.cache_clear()
    digests._normal_form.cache_clear()
    return digest_of(Call(Stage(name, lambda work: None, seeded, module), options, inputs or {}, seed).key)


@pytest.mark.parametrize(
    "same",
    [
        SOURCE.replace("return", "# why\n    return"),
        SOURCE.replace('"""Docstring."""', '"""Another docstring."""\n\n\n'),
        SOURCE.replace('"""Do it."""', '"""Do it, well."""'),
        SOURCE.replace("math.sqrt(x)", "math.sqrt( x )  # root"),
        SOURCE.replace("math.sqrt(x)", "(\n        math.sqrt(x)\n    )"),
    ],
)
def test_comments_docstrings_and_layout_do_not_change_a_key(module_from, same):
    assert key(module_from(SOURCE)) == key(module_from(same))


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace("sqrt", "cbrt"),
        SOURCE.replace("(x):", "(x, y=0):"),
        SOURCE + "LEVEL = 3\n",
        SOURCE.replace("return math.sqrt(x)", "return math.sqrt(x) + 0.0"),
    ],
)
def test_code_changes_a_key(module_from, other):
    assert key(module_from(SOURCE)) != key(module_from(other))


def test_where_the_file_lies_does_not_change_a_key(module_from):
    assert key(module_from(SOURCE, "here")) == key(module_from(SOURCE, "there"))


def test_a_block_that_is_imported_changes_a_key(module_from, monkeypatch):
    plain = key(module_from(SOURCE))
    source = "from unseg_bench.blocks.components import opening\n" + SOURCE
    with_block = key(module_from(source))
    assert with_block != plain

    real = digests._normal_form.__wrapped__
    monkeypatch.setattr(
        digests,
        "_normal_form",
        lambda path: real(path) + ("changed" if path.name == "components.py" else ""),
    )
    digests.code_digest.cache_clear()
    assert code_digest("written_by_test") != with_block
    changed = digest_of(Call(Stage("step", lambda work: None, True, "written_by_test"), None, {}, 0).key)
    assert changed != with_block


def test_a_block_reached_through_another_block_counts(module_from):
    module = module_from("from unseg_bench.blocks.working_volumes import at_spacing\n")
    names = {path.name for path in digests._closure(module).values()}
    assert {"working_volumes.py", "resample.py"} <= names


def test_the_harness_itself_does_not_count(module_from):
    module = module_from("from unseg_bench import Method\nfrom unseg_bench.run import folder\nimport numpy\n")
    assert set(digests._closure(module)) == {module}


def test_order_of_options_does_not_change_a_key():
    here = __name__
    assert key(here, Options(a=2, b=0.1)) == key(here, Options(b=0.1, a=2))
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of([1, 2]) != digest_of([2, 1])


def test_every_option_changes_a_key():
    here = __name__
    assert len({key(here, options) for options in (None, Options(), Options(a=2), Options(b=0.1))}) == 4


def test_seed_counts_only_for_seeded_stages():
    here = __name__
    assert key(here, seed=0) != key(here, seed=1)
    assert key(here, seed=0, seeded=False) == key(here, seed=1, seeded=False)


def test_name_of_the_stage_changes_a_key():
    assert key(__name__) != key(__name__, name="other")


def test_inputs_count_by_digest_and_by_name(tmp_path):
    here = __name__
    one, two = (Artifact("s", tmp_path / where, digest) for where, digest in (("a", "1" * 64), ("b", "2" * 64)))
    moved = Artifact("s", tmp_path / "elsewhere", one.digest)
    assert key(here, inputs={"x": one}) == key(here, inputs={"x": moved})
    assert key(here, inputs={"x": one}) != key(here, inputs={"x": two})
    assert key(here, inputs={"x": one}) != key(here, inputs={"y": one})
    assert key(here, inputs={"x": one, "y": two}) == key(here, inputs={"y": two, "x": one})
    assert key(here, inputs={"x": "weights-1"}) != key(here, inputs={"x": "weights-2"})


def test_cohort_counts_by_cases_and_content_not_by_name():
    def cohort(name, *digests):
        return Cohort(name, digests, lambda case_id: None)

    here = __name__
    plain = key(here, inputs={"x": cohort("train", ("a", "1"), ("b", "2"))})
    assert plain == key(here, inputs={"x": cohort("renamed", ("a", "1"), ("b", "2"))})
    assert plain != key(here, inputs={"x": cohort("train", ("a", "1"), ("b", "3"))})
    assert plain != key(here, inputs={"x": cohort("train", ("a", "1"))})
    assert plain != key(here, inputs={"x": cohort("train", ("a", "1"), ("c", "2"))})


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"a": float("nan")})
    with pytest.raises(TypeError):
        digest_of({"a": np.float32(1)})


@pytest.mark.parametrize(
    "source",
    [
        "from unseg_bench.blocks.sam import decoder\n",
        "from unseg_bench.blocks.sam.decoder import FastDecoder\n",
        "import unseg_bench.blocks.sam.decoder\n",
        "def late():\n    from unseg_bench.blocks.sam.decoder import FastDecoder\n",
    ],
)
def test_of_a_package_of_blocks_the_imported_module_counts_and_not_its_neighbours(module_from, source):
    found = set(digests._closure(module_from(source)))
    assert "unseg_bench.blocks.sam.decoder" in found
    assert not found & {"unseg_bench.blocks.sam.everything", "unseg_bench.blocks.sam.slices"}


def test_relative_imports_count_up_and_down_a_package(tmp_path, monkeypatch):
    files = {
        "__init__.py": "",
        "steps.py": "from .inner import deep\nfrom .inner.deep import value\n",
        "inner/__init__.py": "from . import beside\n",
        "inner/deep.py": "from ..top import limit\nvalue = 1\n",
        "inner/beside.py": "",
        "top.py": "limit = 2\n",
        "unused.py": "",
    }
    for name, source in files.items():
        path = tmp_path / "package_of_test" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    found = digests._closure("package_of_test.steps")
    assert {name.removeprefix("package_of_test.") for name in found} == {
        "steps", "inner", "inner.deep", "inner.beside", "top",
    }  # fmt: skip
