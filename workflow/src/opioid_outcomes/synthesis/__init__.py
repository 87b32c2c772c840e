"""Cohorts pooled, and what was planted beside what was found."""
