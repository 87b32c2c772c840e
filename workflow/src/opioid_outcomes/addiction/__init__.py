"""Opioid use disorder on opioids: ``addiction.dose`` and ``addiction.duration`` (claim C4 of ANALYSES)."""
