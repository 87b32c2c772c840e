"""Monthly dose and its course over time."""
