"""`methods`, `datasets`, `weights`, `info`: what there is."""

from pathlib import Path

from tests.cli.conftest import Ubench


def test_methods_are_listed(ubench: Ubench) -> None:
    shown = ubench("methods")
    assert {"clisc", "supervised-unet", "threshold"} <= {
        line.split()[0] for line in shown.out.splitlines() if line.strip()
    }
    known = {one["name"]: one for one in ubench("methods", "--json").json}
    assert known["supervised-unet"]["supervision"] == "masks"
    assert known["threshold"]["floor"] is True


def test_a_method_in_a_file_shows_its_options_and_presets(ubench: Ubench, tiny: Path) -> None:
    shown = ubench("methods", tiny)
    assert "Where a tumour begins." in shown.out
    assert "float, > 0" in shown.out
    assert "preset paper: the defaults" in shown.out
    assert "preset low\n  level = 0.5" in shown.out
    options = ubench("methods", tiny, "--json").json["options"]
    assert options[0] == {
        "name": "level",
        "type": "float, > 0",
        "default": 2.0,
        "description": "Where a tumour begins.",
    }


def test_a_method_that_reads_by_its_options_says_what_each_preset_reads(ubench: Ubench, tmp_path: Path) -> None:
    (tmp_path / "maybe.py").write_text(
        "from unseg_bench import Method, MethodOptions, Supervision\n"
        "class MaybeOptions(MethodOptions):\n"
        "    read: bool = False\n"
        "class Maybe(Method):\n"
        "    'Reads slices where it is told to.'\n"
        "    name, Options = 'maybe', MaybeOptions\n"
        "    presets = {'paper': {}, 'reference-code': {'read': True}}\n"
        "    preset_sources = {'paper': 'All of it is\\n  ours.', 'gone': 'No such preset.'}\n"
        "    supervision = property(lambda self: Supervision.SLICE_LABELS if self.options.read else Supervision.NONE)\n"
        "    def segment(self, volume, context):\n"
        "        return volume.brain\n",
        encoding="utf-8",
    )
    told = ubench("methods", tmp_path / "maybe.py", "--json").json
    assert told["supervision"] == "by its options"
    assert told["supervision_by_preset"] == {"paper": "none", "reference-code": "slice-labels"}
    shown = [" ".join(line.split()) for line in ubench("methods", tmp_path / "maybe.py").out.splitlines()]
    assert {"labels it reads by its options", "none (paper)", "slice-labels (reference-code)"} <= set(shown)
    assert told["preset_sources"] == {"paper": "All of it is ours."}
    assert shown[shown.index("preset paper: the defaults") + 1] == "All of it is ours."


def test_every_method_and_data_set_can_be_shown(ubench: Ubench) -> None:
    for command in ("methods", "datasets"):
        for one in ubench(command, "--json").json:
            shown = ubench(command, one["name"])
            assert shown.code == 0
            for option in ubench(command, one["name"], "--json").json["options"]:
                assert option["name"] in shown.out
            assert max(map(len, shown.out.splitlines())) <= 80
            # A description is a paragraph: the lines of its source mean nothing to a reader.
            assert r"\n" not in shown.out


def test_weights_are_listed_with_checksum_and_licence(ubench: Ubench) -> None:
    known = {one["name"]: one for one in ubench("weights", "list", "--json").json}
    sam = known["sam-vit-b"]
    assert sam["sha256"].startswith("ec2df62732614e57")
    assert (sam["licence"], sam["present"]) == ("Apache-2.0", False)
    assert known["miniature-sam"]["present"] is True
    assert "ec2df62732614e57" in ubench("weights").out


def test_packaged_weights_are_checked_by_download(ubench: Ubench) -> None:
    known = {one["name"]: one for one in ubench("weights", "list", "--json").json}
    done = ubench("weights", "download", "miniature-sam")
    assert done.code == 0
    assert known["miniature-sam"]["sha256"] in done.out


def test_info_says_what_a_bug_report_needs(ubench: Ubench) -> None:
    facts = ubench("info", "--json").json
    assert {"unseg-bench", "torch", "numpy", "python"} <= facts["versions"].keys()
    assert {"machine", "torch threads", "device", "cache", "plugins", "broken plugins"} <= facts.keys()
    assert "threshold" in ubench("info").out
