"""Dispensings or self-report to daily dose, episodes and on/off.

The rooms, in the order in which a fill goes through them:

- which product a fill is: ``products`` (with ``product_codes``, ``product_names``, ``product_text``, ``product_forms``,
  ``product_strengths``, ``distinct``), and what it is for: ``set_apart``; other medicines: ``drug_classes``
- its dose: ``mme``, by the factor tables of ``mme_tables``
- amounts that cannot be: ``repair``, ``repair_strength``, ``repair_usual``; what rests on them: ``repair_sensitivity``
- all of that on every fill: ``clean``; what became of the fills, counted and told: ``ledger``, ``notes``
- supply: ``stockpile``, ``stays``; doses added up: ``daily_dose`` on ``packed``
- use as known on a day: ``status`` with ``supply_ends``, ``past_use`` and ``records``; or from reports: ``source``
- descriptions: ``episodes``, ``definitions`` (HEAL), ``long_term``, ``events`` with ``dose_history``, ``concurrent``,
  on ``windows``; a history explained: ``example``
- days of a person as intervals: ``stretches``
"""
