"""Cohorts like the study's own in which the answer is known: how often the test of hyperalgesia errs there."""
