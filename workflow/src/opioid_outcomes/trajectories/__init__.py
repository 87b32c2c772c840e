"""Monthly dose and its course over time.

``monthly`` and ``distribution`` describe, ``use_history`` tells current, past, new and prevalent use. Latent classes:
``latent_class`` (a general estimator) on ``curves``, ``mixture_starts``, ``mixture_em`` and ``mixture_information``,
chosen by ``selection``; ``dose_classes`` makes them of dose. Analyses: ``drift``, ``taper``, ``predictors`` and
``long_term_use`` with ``odds`` and ``separation``; ``flat_dose`` takes the steps between methadone's tiers out.
"""
