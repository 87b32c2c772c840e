"""Canonical tables and exposure to eligible people, person-time and the monthly panel."""
