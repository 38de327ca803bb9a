"""Tables of scores made by hand or drawn, for the statistics."""

import numpy as np
import pytest

from unseg_bench.compare.comparison import Column
from unseg_bench.compare.values import ScoreTable
from unseg_bench.score.metrics import DSC, HD95


@pytest.fixture(scope="session")
def make_table():
    """A function: label -> DSC a case (None: no value) in, a table out; HD95 is 100 (1 - DSC) mm unless given.

    Case i is c000, c001 ... of 2 (i + 1) ml unless `volumes` says otherwise. groups: name -> positions of its cases.
    """

    def make(dsc, hd95=None, *, volumes=None, groups=None, seed_means=None):
        labels = tuple(dsc)
        n = len(dsc[labels[0]])
        cases = tuple(f"c{i:03d}" for i in range(n))
        volumes = volumes or [2.0 * (i + 1) for i in range(n)]
        hd95 = hd95 or {
            label: [None if value is None else 100.0 * (1.0 - value) for value in own] for label, own in dsc.items()
        }
        members = {"dsc": cases, "hd95_mm": cases}
        columns = [
            Column("dsc", DSC, None, True, n, min(volumes), max(volumes), False, 0),
            Column("hd95_mm", HD95, None, False, n, min(volumes), max(volumes), False, 0),
        ]
        for name, positions in (groups or {}).items():
            key = f"dsc:{name.lower()}"
            members[key] = tuple(cases[i] for i in positions)
            own = [volumes[i] for i in positions]
            columns.append(Column(key, DSC, name, True, len(own), min(own), max(own), False, 0))
        values = {
            metric: {label: dict(zip(cases, own, strict=True)) for label, own in table.items()}
            for metric, table in (("dsc", dsc), ("hd95_mm", hd95))
        }
        seed_means = seed_means or {metric: {label: {0: 0.5} for label in labels} for metric in values}
        worst = {"dsc": dict.fromkeys(cases, 0.0), "hd95_mm": dict.fromkeys(cases, 100.0)}
        return ScoreTable(
            labels,
            labels,
            cases,
            dict(zip(cases, volumes, strict=True)),
            tuple(columns),
            members,
            values,
            seed_means,
            worst,
        )

    return make


@pytest.fixture(scope="session")
def draw_dsc():
    """A function: seed, number of methods and cases in, label -> DSC out, each method worse than the one before."""

    def draw(seed, methods, n, step=0.02):
        rng = np.random.default_rng(seed)
        hard = rng.beta(8, 2, n)
        return {f"m{i}": np.clip(hard - step * i + rng.normal(0, 0.05, n), 0.0, 1.0).tolist() for i in range(methods)}

    return draw
