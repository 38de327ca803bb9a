"""Alternative answers of a run, such as those at other thresholds: scored as its own are, and never compared."""

from collections.abc import Sequence

from unseg_bench.errors import UbenchError
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.progress import Reporter
from unseg_bench.score.predictions import FileOf, ReferenceOf, score_predictions
from unseg_bench.score.record import CaseScore
from unseg_bench.score.table import read_named_scores, write_named_scores


def score_alternatives(
    run: RunFolder, cases: Sequence[str], reference_of: ReferenceOf, reference_file: FileOf, reporter: Reporter
) -> None:
    """Score what the run's method handed over for these cases, and write scores-alternatives.csv if that is anything.

    A mask that cannot be scored is left out and told to `reporter`.
    """
    scores: dict[str, list[CaseScore]] = {}
    for name in run.alternatives:
        masks = {case: path for case in cases if (path := run.alternative(name, case)).is_file()}
        unscored: dict[str, UbenchError] = {}
        scores[name] = score_predictions(
            masks,
            reference_of,
            reference_file=reference_file,
            progress=lambda done, total, case, name=name: reporter.step(done, total, f"{name}, {case}"),
            leave_out=unscored.__setitem__,
        )
        if unscored:
            first, left = next(iter(unscored.values())), f"{len(unscored)} of {len(masks)} masks cannot be scored"
            reporter.message(f"alternative {name}: {left}, first: {first}")
    if any(scores.values()):
        write_named_scores(run.alternative_scores, scores)
    else:
        run.alternative_scores.unlink(missing_ok=True)


def read_alternatives(run: RunFolder) -> dict[str, list[CaseScore]]:
    """Return the scores of a run's alternatives by name, {} where it has none; raises ScoreError for a damaged file."""
    return read_named_scores(run.alternative_scores) if run.alternative_scores.is_file() else {}
