"""Methods that give masks to other runs and one that takes them, and what runs them."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.silent import Silent
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.plan import plan_runs
from unseg_bench.run.runner import execute
from unseg_bench.run.settings import make_settings

BRIGHT = """
class Options(MethodOptions):
    level: float = 1.0

class Bright(Method):
    name = "bright"
    Options = Options
    def segment(self, volume, context):
        return volume.brain & (volume.image > self.options.level)
"""
READS = """
class Reads(Method):
    name = "reads"
    supervision = Supervision.PROMPTS_FROM_MASKS
    def segment(self, volume, context):
        return context.labels.mask(volume.case_id, "prompts") | (volume.image > 2)
"""
REFINES = """
class Options(MethodOptions):
    source: str = "none"
    other: str = ""
    case: str = ""
    late: str = ""

@stage("peek")
def peek(work, *, what, context):
    np.save(work.folder / "mask.npy", context.predicted_mask(what, "3"))

class Refines(Method):
    name = "refines"
    Options = Options
    def segment(self, volume, context):
        o = self.options
        if o.late == "stage":
            context.run(peek, what=o.source, extras={"context": context})
        mask = context.predicted_mask("/etc" if o.late == "elsewhere" else o.source, o.case or volume.case_id)
        assert mask.dtype == bool and (o.case or mask.shape == volume.shape)
        if o.other:
            mask = mask | context.predicted_mask(o.other, volume.case_id)
        context.note("note", {"value": [volume.case_id, int(mask.sum())]})
        mask[...] = ~mask
        return ~mask if mask.shape == volume.shape else volume.brain
"""
HOW = pytest.mark.parametrize("sealed", ["required", pytest.param("off", marks=pytest.mark.slow)])


class Masks:
    """Makes runs that give masks, and runs the method that is given them."""

    def __init__(self, bench):
        self.bench = bench
        bench.method(REFINES)

    def source(self, text, name="source", **settings):
        file = self.bench.folder / f"{name}.py"
        file.write_text("import numpy as np\nfrom unseg_bench import *\n" + text)
        return self.bench.run(methods=[str(file)], **{"sealed": "off", **settings})

    def installed_source(self, text, name):
        """The same of an installed method, which works in this process where it is not sealed."""
        file = self.bench.folder / "installed_source.py"
        file.write_text("import numpy as np\nfrom unseg_bench import *\n" + text)
        plugins = load_plugins()
        plugins.load_file(file)
        settings = make_settings(self.bench.values(methods=[name], sealed="off"))
        (plan,) = plan_runs(settings, plugins, self.bench.folder / "runs")
        return execute(plan, Silent())

    def refine(self, source, *, sealed="off", **options):
        return self.bench.run(set={"source": str(source), **options}, sealed=sealed)

    def folder_of(self, run, name="folder"):
        folder = self.bench.folder / name
        shutil.copytree(run.path / "predictions", folder)
        return folder


def voxels(run):
    return {path.name: nib.load(path).get_fdata().astype(bool) for path in (run.path / "predictions").iterdir()}


def same(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)
