"""The whole config, and what its sections must agree on."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.config.addiction import Addiction
from opioid_outcomes.config.base import Section, key
from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.config.output import Disclosure, Report, Synthesis
from opioid_outcomes.config.population import Population
from opioid_outcomes.config.privacy import Privacy, Quality
from opioid_outcomes.config.study import Study
from opioid_outcomes.config.trajectories import Trajectories


class Config(Section):
    """A study."""

    study: Study = key(Study, "What the study is called.")
    cohorts: dict[str, Cohort] = key(..., "The cohorts, by name.", min_length=1)
    privacy: Privacy = key(Privacy, "The door in.")
    quality: Quality = key(Quality, "How much bad input is too much.")
    population: Population = key(Population, "Who is studied and from when.")
    exposure: Exposure = key(Exposure, "From dispensings or self-report to dose and on/off.")
    covariates: Covariates = key(Covariates, "What is adjusted for.")
    trajectories: Trajectories = key(Trajectories, "The course of dose over time.")
    mortality: Mortality = key(Mortality, "On against off opioids.")
    addiction: Addiction = key(Addiction, "Opioid use disorder by dose and duration of use.")
    hyperalgesia: Hyperalgesia = key(Hyperalgesia, "Does pain rise or fall after a dose escalation.")
    synthesis: Synthesis = key(Synthesis, "Several cohorts.")
    sensitivity: dict[str, list[Any]] = key(dict, "Dotted key: values to try.", available=({},))
    disclosure: Disclosure = key(Disclosure, "The door out.")
    report: Report = key(Report, "The report.")
