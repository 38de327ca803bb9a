"""HD95 under every policy on empty masks, side by side: does the choice change who is best?"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from unseg_bench.compare.comparison import PolicyCell, PolicyRow
from unseg_bench.compare.inputs import CaseFacts
from unseg_bench.compare.settings import EMPTY_POLICIES, RANK_POLICY
from unseg_bench.compare.values import Scored, Values, mean_of, mean_of_seeds, missed_tumour, seed_values
from unseg_bench.score.metrics import HD95


def policy_rows(
    scored: Scored, cases: Sequence[str], facts: Mapping[str, CaseFacts], missing: str
) -> tuple[PolicyRow, ...]:
    """A row for each label, in their order: overall HD95 by policy (mm; mean rank for `rank`), and its place."""
    cells = {policy: _by_mean(_values(scored, cases, facts, policy, missing)) for policy in EMPTY_POLICIES}
    cells[RANK_POLICY] = _by_mean(_case_ranks(_values(scored, cases, facts, RANK_POLICY, missing), cases))
    return tuple(
        PolicyRow(
            label=label,
            empty_predictions=sum(
                missed_tumour(scores[case]) for scores in seeds.values() for case in cases if case in scores
            ),
            cells={policy: own[label] for policy, own in cells.items()},
            rank_changes=len({cells[policy][label].rank for policy in EMPTY_POLICIES}) > 1,
        )
        for label, seeds in scored.items()
    )


def ranks(numbers: Mapping[str, float]) -> dict[str, float]:
    """Rank of each label, the smallest number first (rank 1); equal numbers share the mean of their ranks."""
    ordered = list(numbers.values())
    return {
        label: fmean((1 + sum(other < own for other in ordered), sum(other <= own for other in ordered)))
        for label, own in numbers.items()
    }


def _values(
    scored: Scored, cases: Sequence[str], facts: Mapping[str, CaseFacts], policy: str, missing: str
) -> dict[str, Values]:
    by_seed = seed_values(scored, cases, facts, HD95, policy, missing)
    return {label: mean_of_seeds(seeds.values(), cases) for label, seeds in by_seed.items()}


def _case_ranks(values: Mapping[str, Values], cases: Sequence[str]) -> dict[str, Values]:
    """Every method's rank within every case."""
    found: dict[str, Values] = {label: {} for label in values}
    for case in cases:
        numbers = {label: value for label, own in values.items() if (value := own[case]) is not None}
        for label, rank in ranks(numbers).items():
            found[label][case] = rank
    return found


def _by_mean(values: Mapping[str, Values]) -> dict[str, PolicyCell]:
    """Mean, number of cases and rank of the mean; no rank without a case."""
    means = {label: mean_of(own.values()) for label, own in values.items()}
    places = ranks({label: mean for label, mean in means.items() if mean is not None})
    return {
        label: PolicyCell(means[label], sum(value is not None for value in own.values()), places.get(label))
        for label, own in values.items()
    }
