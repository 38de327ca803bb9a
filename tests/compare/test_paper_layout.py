"""The layout of the paper's Table 1 from made-up scores, every cell and every star against numpy and scipy."""

import numpy as np
import pytest
from scipy import stats

from unseg_bench.compare.build import compare

GROUPS = ("Tiny", "Small", "Medium", "Large", "Huge")
COLUMNS = [
    *("dsc", "hd95_mm"),
    *(f"{metric}:{group.lower()}" for metric in ("dsc", "hd95_mm") for group in GROUPS),
]
METHODS = ("clisc", "fullsup", "sam", "salip")
SEEDS = {"clisc": (0, 1, 2), "fullsup": (0,), "sam": (0,), "salip": (0,)}


@pytest.fixture(scope="module")
def scores():
    """method -> metric -> (seeds, 75 cases), and the volumes in ml."""
    random = np.random.default_rng(1)
    volumes = random.lognormal(3.5, 0.8, 75)
    base = random.beta(8, 2, 75)
    found = {}
    for quality, method in enumerate(METHODS):
        shape = (len(SEEDS[method]), 75)
        dsc = np.clip(base - 0.06 * quality + random.normal(0, 0.03, shape), 0, 1)
        found[method] = {"dsc": dsc, "hd95_mm": 5 + 20 * (1 - dsc) + random.normal(0, 1, shape) ** 2}
    return found, volumes


@pytest.fixture(scope="module")
def found(scores, make_run):
    numbers, volumes = scores
    by_case = {f"c{i:02d}": ml for i, ml in enumerate(volumes.tolist())}
    return compare(
        [
            make_run(method, *(numbers[method][m][i].tolist() for m in ("dsc", "hd95_mm")), volumes=by_case, seed=seed)
            for method in METHODS
            for i, seed in enumerate(SEEDS[method])
        ]
    )


def of_column(scores, method, key):
    """A method's values in a column, seeds averaged, found without the code under test."""
    numbers, volumes = scores
    metric, _, group = key.partition(":")
    values = numbers[method][metric].mean(axis=0)
    if not group:
        return values
    return values[np.argsort(volumes).reshape(5, 15)[[name.lower() for name in GROUPS].index(group)]]


def test_the_columns_are_the_papers(found):
    assert [column.key for column in found.columns] == COLUMNS
    assert [column.n for column in found.columns] == [75, 75, *[15] * 10]
    assert found.grouping == "tumour size"
    assert not any(column.few for column in found.columns)


@pytest.mark.parametrize("key", COLUMNS)
def test_every_cell(found, scores, key):
    for row in found.rows:
        values = of_column(scores, row.label, key)
        assert row.cells[key].mean == pytest.approx(values.mean(), rel=1e-12)
        assert row.cells[key].sd == pytest.approx(values.std(), rel=1e-12)
        assert (row.cells[key].n, row.cells[key].empty_predictions, row.cells[key].missing) == (len(values), 0, 0)


@pytest.mark.parametrize("key", COLUMNS)
def test_best_second_and_star(found, scores, key):
    sign = -1 if key.startswith("dsc") else 1
    first, second, *_ = sorted(METHODS, key=lambda method: sign * of_column(scores, method, key).mean())
    expected = stats.ttest_rel(of_column(scores, first, key), of_column(scores, second, key))
    test = found.test(key)
    assert (test.best, test.second, test.tied) == (first, second, False)
    assert (test.t, test.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-8)
    assert test.significant == (expected.pvalue < 0.001)


def test_seeds(found, scores):
    clisc = found.rows[0]
    assert clisc.seeds == (0, 1, 2)
    assert clisc.dsc_seed_sd == pytest.approx(scores[0]["clisc"]["dsc"].mean(axis=1).std(ddof=1))
    assert found.rows[1].dsc_seed_sd is None


def test_entries_hold_every_case_of_every_method(found, scores):
    numbers, volumes = scores
    assert [(entry.label, entry.case) for entry in found.entries] == [
        (method, f"c{i:02d}") for method in METHODS for i in np.argsort(volumes)
    ]
    entry = found.entries[-1]
    assert entry.group == "Huge"
    assert entry.tumour_ml == volumes.max()
    assert entry.values["hd95_mm"] == pytest.approx(numbers["salip"]["hd95_mm"][0, volumes.argmax()])
    assert (entry.seeds, found.entries[0].seeds) == (1, 3)
