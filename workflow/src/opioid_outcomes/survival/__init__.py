"""General survival estimators; they know nothing of opioids.

- ``cox`` on ``cox_rows``, ``cox_search``, ``cox_likelihood``, ``cox_residuals``, ``risk_sets``, ``centred``;
  ``proportional_hazards``; ``fine_gray``; ``survey``
- ``incidence`` (Kaplan-Meier, Aalen-Johansen, restricted mean) with ``incidence_influence``; ``kaplan_meier`` by a
  group that changes
- ``binary_regression`` on ``binary_search`` and ``binary_blocks``; ``multinomial``; ``splines``; ``design_matrix``
- ``rates``, ``standardised``, ``smr`` with ``life_table``
- ``person_bootstrap``, ``clusters``, ``normal``, ``products`` (sums that do not depend on the machine's load)
"""
