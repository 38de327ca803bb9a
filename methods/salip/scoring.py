"""Which crops are called tumour, by their similarity to the captions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .options import ChoiceOptions


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Of each crop, (N,) float32: `cosine` to the tumour captions; `probability` of tumour against background."""

    cosine: NDArray[np.float32]
    probability: NDArray[np.float32]


def score(cosines: NDArray[np.float32], logit_scale: float) -> Scores:
    """From cosines (N, 2), tumour first: exp(a c_t) / (exp(a c_t) + exp(a c_b)) with a the model's logit scale."""
    logits = np.clip(logit_scale * (cosines[:, 1] - cosines[:, 0]), -80.0, 80.0)
    return Scores(cosines[:, 0], (1.0 / (1.0 + np.exp(logits))).astype(np.float32))


def choose(scores: Scores, options: ChoiceOptions) -> NDArray[np.intp]:
    """Return the numbers of the crops that are kept, best first; the rules are those of `ChoiceOptions`."""
    ranking = np.argsort(-scores.cosine, kind="stable")
    if not len(ranking):
        return ranking
    if options.rule == "k-sigma":
        level = scores.cosine.max() - options.sigmas * scores.cosine.std()
        return ranking[scores.cosine[ranking] >= level]
    if options.rule == "class-softmax":
        ranking = ranking[scores.probability[ranking] >= options.min_probability]
    return ranking[: options.k]
