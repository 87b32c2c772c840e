"""``study``: what the study is called."""

from __future__ import annotations

from opioid_outcomes.config.base import Section, key

NAME = r"^[a-z0-9][a-z0-9_-]{0,40}$"


class Study(Section):
    """What the study is called."""

    name: str = key("study", "Short name; results go to data/derived/<name>/ and reports/<name>/.", pattern=NAME)
    title: str = key("", "Title printed on the report; empty prints the name.")
    seed: int = key(
        20260101,
        "Any whole number; the random starts of latent classes, bootstraps and imputations come from it. Simulated"
        " cohorts have own seeds.",
        ge=0,
    )
