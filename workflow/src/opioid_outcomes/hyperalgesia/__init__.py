"""Does pain rise (hyperalgesia) or fall (relief, then tolerance) after the dose of stable opioid therapy is changed.

- what is known of people: ``inputs`` (from the tables), ``histories`` (of dose, pain and use; ``person_days``),
  ``scales``, ``dose_steps``
- the trials: ``visits`` (at which a decision is made), ``confounders``, ``trial`` (who took the strategy, and the
  windows after), ``positivity`` and ``comparable`` (may the arms be compared), ``compared`` (one outcome as rows)
- the primary analysis: ``escalation`` (``fitted``: all it fits; ``adherence``: per protocol; ``survivors``: bounds
  where mortality differs; ``diagnostics`` and ``pain_months``: displays), ``noise`` (error of scores), ``tipping``
  (what would explain it away)
- confirmatory: ``blip`` (``blip_decisions``, ``blip_modifiers``)
- what else hyperalgesia should do, and in whom: ``reduction``, ``body``, ``baseline_excess``, ``modifier``
- wrong answers, told as such: ``naive`` (``regression``), ``within_person``, ``event_study`` (``fixed_effects``)
- the verdict: ``verdict``, and how often it errs: ``calibration`` (which table holds for which study),
  ``assessment`` (what one simulated cohort is put to), ``calibrate`` (simulating cohorts like the study's own)
"""
