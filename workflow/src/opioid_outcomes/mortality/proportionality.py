"""Display ``proportional_hazards``: does the hazard ratio on against off change over follow-up."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality import cox_model
from opioid_outcomes.mortality.contrasts import Contrast, Missing
from opioid_outcomes.mortality.hazard_ratio import FEWEST_DEATHS
from opioid_outcomes.mortality.person_years import amount
from opioid_outcomes.survival import cox, design_matrix


def proportional_hazards(
    person_time: pl.DataFrame, contrast: Contrast, baseline: Sequence[str], missing: Missing
) -> pl.DataFrame:
    """Score test (Grambsch & Therneau 1994) of the exposure's log hazard ratio against the Kaplan-Meier of time.

    A row each for the crude model and the one with all of ``baseline``, and the latter's test of all terms together.
    No rows where a model has no estimate: its estimate says why. Nor where the deaths cannot tell, all on one day.
    """
    weighted = person_time["survey_weight"].null_count() < person_time.height
    rows = person_time.with_columns(contrast.exposure.cast(pl.Float64).alias("exposure")).filter(
        pl.col("exposure").is_not_null(), pl.col("survey_weight").fill_null(0) > 0 if weighted else pl.lit(True)
    )
    parts = []
    for method, adjust in {"crude": [], "adjusted_full": list(baseline)}.items():
        design = design_matrix.build(rows, adjust, missing=missing)
        kept = rows.filter(pl.Series(design.keep))
        counted = amount(kept)
        if counted.events < FEWEST_DEATHS:
            continue
        exposure = kept.select("exposure").to_numpy()
        try:
            model = cox_model.fit(kept, exposure, [contrast.label], design, weighted=weighted)
        except cox.CoxFailure:
            continue
        tests = model.fitted.test_proportional_hazards()
        told = ["all", contrast.label] if adjust else [contrast.label]
        parts.append(
            tests.filter(pl.col("term").is_in(told), pl.col("chi_square").is_not_null()).select(
                pl.lit(method).alias("method"), "term",
                events=pl.lit(counted.events, pl.Int64), chi_square="chi_square",
                degrees=pl.col("degrees").cast(pl.Float64), p_value="p_value",
            )
        )  # fmt: skip
    return pl.concat([DISPLAYS["proportional_hazards"].empty(), *parts])
