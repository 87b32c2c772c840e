"""Dispensings or self-report to daily dose, episodes and on/off."""
