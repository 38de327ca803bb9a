"""Ways to a mask that take more than one step: at import, over two runs, through options, after the run."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import LabelAccessError, PluginError, RunError, WeightsError
from unseg_bench.run.ledger import label_free

pytestmark = pytest.mark.usefixtures("sealable", "no_leftovers")

PLAIN = """
from unseg_bench import Method
class Mine(Method):
    name = "mine"
    def segment(self, volume, context):
        return volume.brain & (volume.image > 1)
"""

AT_IMPORT = """
from pathlib import Path
from unseg_bench import Method, Supervision
import unseg_bench.run.ledger, unseg_bench.data.labels
unseg_bench.run.ledger.Ledger.add = lambda self, read: None
unseg_bench.data.labels.MASK_PARTS[Supervision.NONE] = ("train", "valid", "test", "other")
try:
    FOUND = Path({mask!r}).read_bytes()
except OSError:
    FOUND = b""
try:
    Path({marker!r}).write_bytes(FOUND)
except OSError:
    pass

class Mine(Method):
    name = "mine"
    def segment(self, volume, context):
        context.note("found", {{"at import": len(FOUND)}})
        return context.labels.mask({case!r}, "patched")
"""


def test_code_at_import_runs_behind_the_seal_and_changes_nothing_outside(run, method_file, masked_cohort, tmp_path):
    marker = tmp_path / "marker"
    mask = masked_cohort / "case-0" / "seg.nii.gz"
    file = method_file(AT_IMPORT.format(mask=str(mask), marker=str(marker), case="case-0"))
    with pytest.raises(LabelAccessError, match="declares supervision 'none'"):
        run(file, sealed="required")
    assert not marker.exists()
    from unseg_bench.data.labels import MASK_PARTS
    from unseg_bench.data.supervision import Supervision

    assert MASK_PARTS[Supervision.NONE] == ()


def test_a_second_face_after_planning_earns_nothing(run, method_file):
    source = """
from unseg_bench import Method, Supervision
class Mine(Method):
    name = "mine"
    asked = 0
    @property
    def supervision(self):
        Mine.asked += 1
        return Supervision.NONE if Mine.asked == 1 else Supervision.PROMPTS_FROM_MASKS
    def segment(self, volume, context):
        assert str(self.supervision) and str(self.supervision) == "prompts-from-masks"
        return context.labels.mask(volume.case_id, "second face")
"""
    with pytest.raises(LabelAccessError, match="declares supervision 'none'"):
        run(method_file(source))


STAGED = """
import numpy as np
from unseg_bench import Method, Supervision, stage

@stage("pseudo")
def pseudo(work, *, cohort, labels=None):
    from_masks = labels is not None
    np.save(work.folder / "kind.npy", np.array(from_masks))

class {name}(Method):
    name = {name!r}
    supervision = Supervision.{supervision}
    def fit(self, training, validation, context):
        extras = {{"labels": context.labels}} if self.supervision is Supervision.MASKS else {{}}
        if extras:
            context.labels.mask(training.case_ids[0], "pseudo-labels")
        self.from_masks = bool(context.run(pseudo, extras=extras, cohort=training).array("kind"))
    def segment(self, volume, context):
        context.note("pseudo", {{"from masks": self.from_masks}})
        return volume.brain & (volume.image > 1)
"""


def test_a_stage_made_from_masks_is_out_of_reach_under_the_same_name(run, method_file):
    """A file declares masks and fills the cache; then it claims none, with the same stage under the same name."""
    with_masks = run(method_file(STAGED.format(name="mine", supervision="MASKS")))
    assert label_free(with_masks.record) == "no: 1 mask"
    keys = [json.loads(file.read_text()) for file in (cache_dir() / "stages").glob("*/pseudo-*/stage.json")]
    assert len(keys) == 1
    without = run(method_file(STAGED.format(name="mine", supervision="NONE")), sealed="required")
    assert label_free(without.record) == "yes (sealed)"
    lines = [line for line in without.events() if line["event"] == "pseudo"]
    assert [line["from masks"] for line in lines] == [False, False]


def test_an_unsealed_run_and_a_sealed_one_share_no_stage(run, method_file):
    file = method_file(STAGED.format(name="mine", supervision="NONE"))
    run(file, sealed="off")
    sealed = run(file, sealed="required")
    assert [line["cached"] for line in sealed.events() if line["event"] == "stage"] == [False, False]


LINKED = """
import os
from unseg_bench import Method, stage

@stage("linked")
def linked(work):
    os.{how}({target!r}, work.folder / "mask.npy")

class Mine(Method):
    name = "mine"
    def fit(self, training, validation, context):
        context.run(linked)
    def segment(self, volume, context):
        return volume.empty_mask()
"""


@pytest.mark.parametrize("how", ["symlink", "link"])
def test_a_result_that_leads_elsewhere_cannot_be_made(run, method_file, masked_cohort, how):
    target = str(masked_cohort / "case-1" / "seg.nii.gz")
    with pytest.raises(RunError, match=r"stage 'linked' failed: (PermissionError|OSError)"):
        run(method_file(LINKED.format(how=how, target=target)), sealed="required")


WEIGHTS = """
from unseg_bench import Method, MethodOptions
from unseg_bench.blocks.weights import resolve

class Options(MethodOptions):
    weights: str = ""

class Mine(Method):
    name = "mine"
    Options = Options
    def segment(self, volume, context):
        self.size = len(resolve(self.options.weights{more}).path.read_bytes())
        context.note("weights", {{"size": self.size}})
        return volume.brain & (volume.image > 1)
"""


def test_weights_that_the_user_names_are_handed_over_and_show_in_the_column(run, method_file, tmp_path):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"x" * 77)
    done = run(method_file(WEIGHTS.format(more="")), set={"weights": str(weights)}, sealed="required")
    assert {line["size"] for line in done.events() if line["event"] == "weights"} == {77}
    assert label_free(done.record) == "yes (sealed, own weights)"
    assert weights.read_bytes() == b"x" * 77


def test_weights_that_nobody_named_are_refused(run, method_file, tmp_path):
    weights = tmp_path / "left.safetensors"
    weights.write_bytes(b"x")
    file = method_file(WEIGHTS.format(more=f" or {str(weights)!r}"))
    with pytest.raises(WeightsError, match=r"files that an option of the method names"):
        run(file, sealed="required")


@pytest.mark.parametrize("place", ["data", "cache", "runs"])
def test_files_of_data_and_runs_are_no_weights_even_if_named(run, method_file, masked_cohort, tmp_path, place):
    places = {
        "data": masked_cohort / "case-0" / "copy.safetensors",
        "cache": cache_dir() / "stages" / "train-01" / "masks.npy",
        "runs": tmp_path / "runs" / "folder" / "scores.csv",
    }
    places[place].parent.mkdir(parents=True, exist_ok=True)
    places[place].write_bytes(b"masks")
    with pytest.raises(WeightsError, match="no files of the data set or of runs"):
        run(method_file(WEIGHTS.format(more="")), set={"weights": str(places[place])}, sealed="required")


def test_nothing_lives_on_after_the_run(run, method_file):
    mark = f"300.{os.getpid()}"
    start = f"import os; os.posix_spawnp('sleep', ['sleep', {mark!r}], os.environ, setsid=True)"
    source = PLAIN.replace("        return", f"        {start}\n        return")
    run(method_file(source), sealed="required")
    assert _alive(mark) == []
    run(method_file(source), sealed="off")
    assert _alive(mark) == []


def test_data_inside_a_folder_that_python_needs_cannot_be_sealed(run, method_file, masked_cohort, monkeypatch):
    from unseg_bench.sandbox import policy

    roots = policy._interpreter_roots
    monkeypatch.setattr(policy, "_interpreter_roots", lambda: [*roots(), masked_cohort.parent])
    with pytest.raises(RunError, match=r"cannot be sealed: .*data.* lies inside"):
        run(method_file(PLAIN), sealed="required")
    with pytest.raises(RunError, match=r"cannot be sealed: .*--sealed off"):
        run(method_file(PLAIN))
    assert label_free(run(method_file(PLAIN), sealed="off").record) == "not sealed"


def test_a_reference_that_can_be_read_after_all_ends_the_seal(run, method_file, masked_cohort, monkeypatch):
    """The process tries its own bars first: here one is missing, and the rules' own check is blinded."""
    from unseg_bench.run.session import run_rules, seal
    from unseg_bench.sandbox import policy
    from unseg_bench.sandbox.landlock import READ, Rule

    rules = policy.interpreter_rules
    monkeypatch.setattr(seal.policy, "interpreter_rules", lambda *a: [*rules(*a), Rule(masked_cohort, READ)])
    monkeypatch.setattr(run_rules.policy, "find_hole", lambda *_: None)
    with pytest.raises(RunError, match=r"not refused: (read the image file|list the folder)"):
        run("threshold", sealed="required")


def test_phantoms_cannot_be_made_again_with_the_data_sets_own_code(method_file, tmp_path):
    """The generator is hidden; who copies it into a method can still run it (docs/label-firewall.md says so)."""
    from unseg_bench.plugins.manager import load_plugins
    from unseg_bench.run.plan import plan_runs
    from unseg_bench.run.settings import make_settings

    source = "from unseg_bench.blocks.phantom.generator import generate_phantom\n" + PLAIN
    settings = make_settings({"methods": [str(method_file(source))], "dataset_options": {"test": 1, "train": 0}})
    with pytest.raises(PluginError, match=r"blocks.phantom|Permission denied"):
        plan_runs(settings, load_plugins(), tmp_path / "runs")


def test_what_a_sealed_method_predicts_is_what_it_predicts_unsealed(run, method_file):
    masks = [
        {path.name: path.read_bytes() for path in (run(method_file(PLAIN), sealed=how).path / "predictions").iterdir()}
        for how in ("required", "off")
    ]
    assert masks[0] == masks[1]
    assert len(masks[0]) == 2


def _alive(argument: str) -> list[int]:
    """Processes of this machine that were started with this argument."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if argument.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


REOPENS = """
import os
import numpy as np
from unseg_bench import Method, MethodOptions, stage

class Options(MethodOptions):
    late: bool = False

@stage("left", seeded=False)
def left(work, *, opened):
    (work.folder / "left.bin").write_bytes(b"clean")
    opened.append(os.open(work.folder / "left.bin", os.O_RDONLY))
    opened.append(os.open(work.folder, os.O_RDONLY))

class Mine(Method):
    name = "mine"
    Options = Options
    def fit(self, training, validation, context):
        opened = []
        self.left = context.run(left, extras={"opened": opened})
        for how in (lambda: os.open(f"/proc/self/fd/{opened[0]}", os.O_RDWR),
                    lambda: os.open("left.bin", os.O_RDWR, dir_fd=opened[1]),
                    lambda: os.open("stage.json", os.O_RDWR, dir_fd=opened[1])) if opened else ():
            try:
                os.write(how(), b"secret")
            except OSError as error:
                context.note("refused", {"why": str(error)})
    def segment(self, volume, context):
        context.note("left", {"text": self.left.path("left.bin").read_text()})
        return volume.brain
"""


def test_a_result_is_out_of_its_makers_reach_when_it_is_kept(run, method_file):
    """By a descriptor of a file or folder that was opened before, also for reading only."""
    file = method_file(REOPENS)
    for late in (False, True):
        done = run(file, sealed="required", set={"late": late})
        assert {line["text"] for line in done.events() if line["event"] == "left"} == {"clean"}
    (record,) = (cache_dir() / "stages").glob("*/left-*/stage.json")
    assert json.loads(record.read_text())["history"]["label_reads"] == []


def test_what_is_run_is_what_was_looked_at(run, method_file):
    """The file is another one when its process imports it."""
    from unseg_bench.run import inspection

    file = method_file(PLAIN)
    text = file.read_text()
    original = inspection.describe_file

    def swap(*arguments):
        cards = original(*arguments)
        file.write_text(text.replace("volume.brain & (volume.image > 1)", "~volume.empty_mask()"))
        return cards

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unseg_bench.run.plan.describe_file", swap)
        done = run(file, sealed="required")
    voxels = [line["voxels"] for line in done.events() if line["event"] == "case"]
    assert max(voxels) < 16 * 16 * 12 / 4
    again = run(file, sealed="required")
    assert again.path != done.path


def test_a_copy_of_a_reference_is_no_weights(run, method_file, masked_cohort, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((masked_cohort / "case-2" / "seg.nii.gz").read_bytes())
    with pytest.raises(LabelAccessError, match="has the bytes of a reference mask"):
        run(method_file(WEIGHTS.format(more="")), set={"weights": str(copy)}, sealed="required")
    with pytest.raises(WeightsError, match="set by the user"):
        run(method_file(WEIGHTS.format(more="")), set={"weights": "/proc/self/environ"}, sealed="required")
