"""Whether pain, or what else is measured, varies: of what does not there is nothing to estimate."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.causal.variation import varies
from opioid_outcomes.hyperalgesia.person_days import Floats


def unvaried(values: Floats, what: str = "pain") -> str | None:
    """The gate of an outcome that is the same in everybody but for rounding; None if it varies, or nobody has one.

    values: NaN where not seen. Of changes too: of a course that is the same in everybody nothing is estimated either.
    """
    known = values[np.isfinite(values)]
    return f"not evaluable: {what} does not vary" if len(known) and not varies(known) else None
