"""On phantoms, rows whose weights learned from phantoms are named below the table."""

from unseg_bench.compare.build import compare


def test_rows_with_weights_from_phantoms_are_named_on_phantoms_alone(make_run):
    def notes(evidence):
        ours = [make_run("ours", [0.8, 0.9], seed=seed, evidence=evidence, weights=("synthetic",)) for seed in (0, 1)]
        other = make_run("other", [0.7, 0.8], evidence=evidence, weights=("sam-vit-b",))
        return [note for note in compare([*ours, other]).notes if "same generator" in note]

    assert notes(True) == []
    (note,) = notes(False)
    assert note == "use weights that learned from phantoms of the same generator (other seeds): ours"
