"""Working volumes are a stage like any other: a sealed process opens them again and again, with the same bits."""

METHOD = """
from unseg_bench.blocks.working_volumes import at_spacing, volume_at_spacing

@stage("level")
def find_level(work, *, cohort):
    for volume in [*cohort, *cohort]:
        assert volume.spacing_mm == (3.0, 3.0, 3.0)
        assert not volume.image.flags.writeable
    np.save(work.folder / "level.npy", np.mean([volume.image[volume.brain].mean() for volume in cohort]))

class Mine(Method):
    name = "mine"
    def fit(self, training, validation, context):
        cohort = at_spacing(training, 3.0, context.run)
        self.level = float(context.run(find_level, cohort=cohort).array("level"))
    def segment(self, volume, context):
        context.note("note", {"value": [self.level, volume_at_spacing(volume, 3.0).shape]})
        return volume.brain & (volume.image > self.level)
"""


def test_working_volumes_inside_the_seal(bench):
    bench.method(METHOD)
    found = []
    for how in ("required", "off"):
        run = bench.run(sealed=how, force=True, seeds=[5])
        found.append((bench.masks(run), bench.notes(run)[-2:]))
    assert found[0] == found[1]
    assert len(bench.notes(run)) == 4
