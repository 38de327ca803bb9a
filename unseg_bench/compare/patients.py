"""Several sessions of one patient are one observation: tests, intervals and ranks are over patients."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.values import ScoreTable, mean_of


def by_patient(table: ScoreTable, runs: Sequence[RunScores]) -> ScoreTable:
    """Return the table with one value for each patient: the mean over those of the patient's cases that a column holds.

    It is the table itself where no patient has two cases. A session without a value is left out of its patient's mean.
    """
    patients = {case: patient for run in runs for case, patient in run.patients.items()}
    if len({patients.get(case, case) for case in table.cases}) == len(table.cases):
        return table
    # Sessions of one patient may lie in several size groups: each such set of cases is a unit of its own.
    units: dict[str, tuple[str, ...]] = {}
    members = {key: tuple(_units(cases, patients, units)) for key, cases in table.members.items()}
    # The volume of a case that no run has a score of is not known.
    volumes = {case: table.tumour_ml.get(case) for case in table.cases}
    return replace(
        table,
        cases=tuple(_units(table.cases, patients, units)),
        members=members,
        tumour_ml={unit: ml for unit, ml in _averaged(volumes, units).items() if ml is not None},
        values={
            metric: {label: _averaged(values, units) for label, values in own.items()}
            for metric, own in table.values.items()
        },
        worst={
            metric: {unit: worst for unit, worst in averaged.items() if worst is not None}
            for metric, own in table.worst.items()
            for averaged in [_averaged({case: own.get(case) for case in table.cases}, units)]
        },
    )


def patients_note(table: ScoreTable, tested: ScoreTable) -> list[str]:
    """Say that tests are over patients, where `tested` has fewer of them than the table has cases."""
    if len(tested.cases) == len(table.cases):
        return []
    return [
        f"tests, intervals and ranks are over {len(tested.cases)} patients with {len(table.cases)} sessions: those of "
        "a patient are averaged first; means and standard deviations are over sessions"
    ]


def _units(cases: Sequence[str], patients: Mapping[str, str], units: dict[str, tuple[str, ...]]) -> list[str]:
    """Put the cases of each patient together, remember them in `units`, and return the units' names."""
    own: dict[str, list[str]] = {}
    for case in cases:
        own.setdefault(patients.get(case, case), []).append(case)
    found = {" + ".join(sorted(sessions)): tuple(sessions) for sessions in own.values()}
    units |= found
    return list(found)


def _averaged(values: Mapping[str, float | None], units: Mapping[str, Sequence[str]]) -> dict[str, float | None]:
    return {unit: mean_of(values[case] for case in cases) for unit, cases in units.items()}
