"""How plugins are found: by entry point, by file, and what happens when one is broken."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from unseg_bench.errors import PluginError
from unseg_bench.plugins.manager import Plugins, load_plugins

METHOD = """
from unseg_bench import Method
class {cls}(Method):
    name = "{name}"
    def segment(self, volume, context):
        return volume.empty_mask()
"""
HOOKS = """
from unseg_bench import hookimpl
@hookimpl
def ubench_methods():
    return [{cls}]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module that can be imported by its name and loaded by its path."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(stem, source):
        path = tmp_path / f"{stem}.py"
        path.write_text(source)
        return path

    return make


def method_source(name, cls="Mine", *, hooks=False):
    return METHOD.format(name=name, cls=cls) + (HOOKS.format(cls=cls) if hooks else "")


def point(module):
    return EntryPoint(module, module, "unseg_bench")


def test_built_in_plugins_come_by_entry_point_as_others_do():
    plugins = load_plugins()
    assert {point.name for point in entry_points(group="unseg_bench")} >= {"phantom", "folder", "clisc", "threshold"}
    assert plugins.broken == []
    assert {"phantom", "folder", "brats2020"} <= set(plugins.datasets)
    assert {"clisc", "threshold", "supervised-unet"} <= set(plugins.methods)
    assert all(source.startswith("unseg-bench ") for source in plugins.sources.values())


def test_single_file_without_hooks(write):
    plugins = Plugins()
    method = plugins.load_file(write("mine", method_source("mine")))
    assert method.name == "mine"
    assert plugins.method("mine") is method


def test_single_file_with_hooks(write):
    assert Plugins().load_file(write("mine_hooked", method_source("mine", hooks=True))).name == "mine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "expected one subclass of unseg_bench.Method, found 0"),
        ("from unseg_bench import Method\n", "found 0"),
        (method_source("a", "A") + method_source("b", "B"), "found 2"),
        ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("def broken(:\n", "SyntaxError"),
        (method_source("").replace('name = ""', "pass"), "needs a class attribute `name`"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(write, source, message):
    path = write("bad_file", source)
    with pytest.raises(PluginError, match=message) as caught:
        Plugins().load_file(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(PluginError, match=r"nowhere/mine\.py: no such file"):
        Plugins().load_file(Path("nowhere/mine.py"))


def test_a_taken_name_is_refused(write):
    plugins = load_plugins()
    with pytest.raises(PluginError, match=r"the name 'threshold' is taken by unseg-bench .*; choose another"):
        plugins.load_file(write("second", method_source("threshold")))


def test_unknown_names_get_the_nearest():
    plugins = load_plugins()
    with pytest.raises(PluginError, match=r"unknown method 'clisk'\. Did you mean 'clisc'"):
        plugins.method("clisk")
    with pytest.raises(PluginError, match=r"unknown data set 'brats2002'\. Did you mean 'brats2020'"):
        plugins.dataset("brats2002")


def test_a_broken_plugin_is_reported_and_the_others_go_on(write):
    write("plugin_broken", "raise RuntimeError('no licence')\n")
    write("plugin_good", method_source("good", hooks=True))
    write("plugin_twice", method_source("good", "Again", hooks=True))
    plugins = Plugins()
    plugins.load_entry_points([point(name) for name in ("plugin_broken", "plugin_good", "plugin_twice", "plugin_gone")])
    assert set(plugins.methods) == {"good"}
    assert {broken.name: broken.reason.partition(":")[0] for broken in plugins.broken} == {
        "plugin_broken": "RuntimeError",
        "plugin_gone": "ModuleNotFoundError",
        "plugin_twice": "PluginError",
    }
    with pytest.raises(PluginError, match=r"method 'plugin-broken' .* could not be loaded: RuntimeError: no licence"):
        plugins.method("plugin-broken")


def test_a_hook_that_does_not_exist_is_reported(write):
    source = "from unseg_bench import hookimpl\n@hookimpl\ndef ubench_metods():\n    return []\n"
    write("plugin_typo", source)
    plugins = Plugins()
    plugins.load_entry_points([point("plugin_typo")])
    assert "ubench_metods" in plugins.broken[0].reason


def test_a_data_set_comes_from_a_plugin_and_commands_are_added(write):
    write(
        "plugin_data",
        """
from unseg_bench import Dataset, Split, hookimpl
class Own(Dataset):
    name, title = "own", "Own"
    def identity(self): return {}
    def split(self): return Split("all", (), (), ("a",))
    def image(self, case_id): raise NotImplementedError
    def reference(self, case_id): return None
@hookimpl
def ubench_datasets(): return [Own]
@hookimpl
def ubench_commands(app): app.append("own-command")
""",
    )
    plugins = Plugins()
    plugins.load_entry_points([point("plugin_data")])
    assert plugins.broken == []
    assert plugins.dataset("own").title == "Own"
    commands = []
    plugins.add_commands(commands)
    assert commands == ["own-command"]
