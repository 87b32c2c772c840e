"""How many latent classes: every number tried is kept, with why it was or was not chosen."""

from __future__ import annotations

from dataclasses import dataclass

from opioid_outcomes.trajectories.latent_class import Curves, LatentClasses, NoFit, fit
from opioid_outcomes.trajectories.mixture_em import LEAST_SIGMA

# Nagin (2005) Group-Based Modeling of Development, ch. 5: members of a class should belong to it with 0.7 on average
LEAST_MEAN_POSTERIOR = 0.7
# ANALYSES 2: a class of fewer is not told from a few odd courses
LEAST_SHARE = 0.01
# The fewest people whose numbers may be shown (DISCLOSURE): a class of fewer would be chosen and not told
LEAST_PERSONS = 11

CHOSEN = "chosen"
AT_FLOOR = "variance at its floor"


@dataclass(frozen=True)
class Candidate:
    """A number of classes: its fit (None if the data cannot bear it), and why it is or is not the chosen one."""

    classes: int
    fit: LatentClasses | None
    why: str
    chosen: bool


def select(
    curves: Curves, max_classes: int, *, starts: int = 20, seed: int = 0, least_sigma: float = LEAST_SIGMA
) -> list[Candidate]:
    """Models of 1 .. max_classes classes; chosen is the smallest BIC among those whose classes are distinct.

    Distinct: one class, or classes of which the smallest holds 1 % of persons and 11 of them, and whose mean posteriors
    are 0.7 or more. None is chosen only if no model can be fitted at all. Each model also starts from the one before,
    split. ``least_sigma``: as of ``fit``, one for all models. Cost: the sum of the fits.
    """
    fits: list[tuple[int, LatentClasses | None, str]] = []
    smaller: LatentClasses | None = None
    least_share = max(LEAST_SHARE, LEAST_PERSONS / len(curves.persons))
    for classes in range(1, max_classes + 1):
        try:
            found = fit(
                curves, classes, starts=starts, seed=seed, smaller=smaller, least_share=least_share,
                least_sigma=least_sigma,
            )  # fmt: skip
        except NoFit as failure:
            smaller = None
            fits.append((classes, None, str(failure)))
        else:
            smaller = found
            fits.append((classes, found, _indistinct(found)))
    distinct = [found for _, found, why in fits if found is not None and not why]
    best = min(distinct, key=lambda found: found.bic, default=None)
    return [
        Candidate(classes, found, _why(found, why, best, fits), chosen=found is not None and found is best)
        for classes, found, why in fits
    ]


def _why(
    found: LatentClasses | None, indistinct: str, best: LatentClasses | None,
    fits: list[tuple[int, LatentClasses | None, str]],
) -> str:  # fmt: skip
    if found is None:
        return indistinct
    if indistinct:
        why = indistinct
    elif found is best:
        before = fits[-2][1] if found is fits[-1][1] and len(fits) > 1 else None
        falls = before is not None and found.bic < before.bic
        why = f"{CHOSEN}, though BIC still falls: the most classes tried" if falls else CHOSEN
    else:
        why = f"BIC is larger than with {best.classes}" if best else ""
    return f"{why}; {AT_FLOOR}" if found.at_floor.any() else why


def _indistinct(found: LatentClasses) -> str:
    if found.classes == 1:
        return ""
    smallest = found.sizes.min()
    if smallest < LEAST_SHARE * len(found.members):
        return "a class holds under 1 % of persons"
    if smallest < LEAST_PERSONS:
        return f"a class holds fewer than {LEAST_PERSONS} persons"
    if found.mean_posterior.min() < LEAST_MEAN_POSTERIOR:
        return "mean posterior of a class is under 0.7"
    return ""
