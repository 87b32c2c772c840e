"""What was planted beside what was found: a number of one population stands beside that population's estimate only."""

import polars as pl

from opioid_outcomes.synthesis import truth


def test_a_population_s_truth_meets_its_own_estimate() -> None:
    key = {"cohort": "c", "analysis": "a", "method": "aipw", "outcome": "pain", "contrast": "x", "window": "1-30"}
    found = pl.DataFrame(
        [
            key | {"scale": scale, "population": population, "spec": "main", "estimate": estimate, "se": 0.3}
            for scale, population, estimate in (("d", "all", 1.0), ("d", "some", 2.0), ("e", "all", 3.0))
        ]
    )
    planted = [
        key | {"scale": "d", "truth": 1.4, "se": 0.4, "population": "some"},
        key | {"scale": "e", "truth": 3.0},
        key | {"scale": "d", "truth": 0.0, "population": "none"},
    ]
    compared = truth.compare(planted, found)
    assert compared.columns == truth.COLUMNS
    assert compared.select("truth", "estimate").rows() == [(3.0, 3.0), (1.4, 2.0), (0.0, None)]
    assert compared["z"].round(6).to_list() == [0.0, 1.2, None]
