"""General causal estimators; they know nothing of opioids.

- arms made alike: ``propensity`` (``propensity_weights``, ``matching``, ``overlap``), ``balance`` and
  ``balance_table``, ``gates``
- risks of two arms: ``weighted_risk`` (``weighted_arms``, ``weighted_bootstrap``), answered as ``risks`` and
  ``contrasts``
- effects on outcomes in those treated: ``augmented`` (``augmented_assignment``, ``augmented_error`` where scores are
  recorded with error, ``augmented_window``), AIPW beside IPW and regression
- treatment over time: ``time_varying_weights``, ``marginal_structural``, ``visit_intensity`` (who is seen when);
  ``nested_mean`` (``nested_mean_nuisance``):
  the effect of one step, so many months later
- strategies: ``clone_layout`` (who is a clone of whom, and until when), ``clone_censor`` (weights),
  ``clone_contrasts``
- what is missing or wrong: ``imputation``, ``bias``, ``negative_controls``
"""
