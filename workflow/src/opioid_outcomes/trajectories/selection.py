"""How many latent classes: every number tried is kept, with why it was or was not chosen."""

from __future__ import annotations

from dataclasses import dataclass

from opioid_outcomes.trajectories.latent_class import Curves, LatentClasses, NoFit, fit

# Nagin (2005) Group-Based Modeling of Development, ch. 5: members of a class should belong to it with 0.7 on average
LEAST_MEAN_POSTERIOR = 0.7
# ANALYSES 2: a class of fewer is not told from a few odd courses
LEAST_SHARE = 0.01

CHOSEN = "chosen"


@dataclass(frozen=True)
class Candidate:
    """A number of classes: its fit (None if the data cannot bear it), and why it is or is not the chosen one."""

    classes: int
    fit: LatentClasses | None
    why: str

    @property
    def chosen(self) -> bool:
        return self.why == CHOSEN


def select(curves: Curves, max_classes: int, *, starts: int = 20, seed: int = 0) -> list[Candidate]:
    """Models of 1 .. max_classes classes; chosen is the smallest BIC among those whose classes are distinct.

    Distinct: every class has members, their mean posterior is 0.7 or more, and the smallest holds 1 % of persons. None
    is chosen only if no model can be fitted at all. Each model also starts from the one before, split.
    Cost: the sum of the fits.
    """
    fits: list[tuple[int, LatentClasses | None, str]] = []
    smaller: LatentClasses | None = None
    for classes in range(1, max_classes + 1):
        try:
            found = fit(curves, classes, starts=starts, seed=seed, smaller=smaller)
        except NoFit as failure:
            smaller = None
            fits.append((classes, None, str(failure)))
        else:
            smaller = found
            fits.append((classes, found, _indistinct(found)))
    distinct = [found for _, found, why in fits if found is not None and not why]
    best = min(distinct, key=lambda found: found.bic, default=None)
    if best is None:
        return [Candidate(*each) for each in fits]
    larger = f"BIC is larger than with {best.classes}"
    return [Candidate(classes, each, CHOSEN if each is best else why or larger) for classes, each, why in fits]


def _indistinct(found: LatentClasses) -> str:
    if found.sizes.min() < LEAST_SHARE * len(found.members):
        return "a class holds under 1 % of persons"
    if found.mean_posterior.min() < LEAST_MEAN_POSTERIOR:
        return "mean posterior of a class is under 0.7"
    return ""
