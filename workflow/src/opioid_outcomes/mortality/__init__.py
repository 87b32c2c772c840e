"""The mortality analyses of ANALYSES 4, built from ``survival`` and ``causal``.

The rooms, by the question asked:

- does starting an opioid kill (``mortality.new_user``, primary): ``new_user`` by intention to treat, ``as_treated``
  on ``adherence``. On the way to them: ``index_dates`` to ``trial_table``; ``trial_score`` and ``trial_arms`` before
  outcomes are seen; ``trial_estimates`` after; ``trial_causes`` for causes and the overdose share;
  ``trial_displays``; ``target_trial`` in words
- use that changes over time: ``msm`` on ``msm_design``, ``msm_decisions`` and ``msm_gates``
- strategies kept up: ``sustained`` on ``sustained_times``, ``sustained_strategies``, ``sustained_sample`` and
  ``sustained_curves``
- after stopping: ``stopping`` on ``stopping_clock``
- described: ``rates``, ``standardised_rates``, ``smr`` (with ``age``), ``current_use``, ``baseline_use``,
  ``cause_specific``, ``survival_curves``, ``dose_response``, ``proportionality``; wrong on purpose: ``immortal_time``
- how wrong it may be: ``negative_control`` (E-values are made in ``synthesis``)
- what they share: ``contrasts``, ``hazard_ratio`` on ``cox_model``, ``group_rates``, ``person_time_cuts``,
  ``intervals``, ``person_years``, ``imputed``, ``gates``
"""
