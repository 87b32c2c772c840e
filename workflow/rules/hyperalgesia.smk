rule estimate_hyperalgesia:
    input:
        **pain_trial_inputs(),
    output:
        estimates=f"{COHORT}/hyperalgesia_estimates.parquet",
        pain_escalation=f"{COHORT}/displays/pain_escalation.parquet",
        escalation_diagnostics=f"{COHORT}/displays/escalation_diagnostics.parquet",
        noise_tipping=f"{COHORT}/displays/noise_tipping.parquet",
        facts=f"{COHORT}/hyperalgesia_facts.json",
    log:
        f"{LOGS}/{{cohort}}/estimate_hyperalgesia.log",
    params:
        step=for_step("estimate_hyperalgesia"),
    script:
        STEP


rule estimate_blip:
    input:
        **pain_trial_inputs(),
    output:
        estimates=f"{COHORT}/blip_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_blip.log",
    params:
        step=for_step("estimate_blip"),
    script:
        STEP


rule estimate_corroboration:
    input:
        **pain_trial_inputs(),
        trials=f"{COHORT}/new_user_trials.parquet",
    output:
        estimates=f"{COHORT}/corroboration_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_corroboration.log",
    params:
        step=for_step("estimate_corroboration"),
    script:
        STEP


rule estimate_wrong_answers:
    input:
        **pain_trial_inputs(),
    output:
        estimates=f"{COHORT}/wrong_answers_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_wrong_answers.log",
    params:
        step=for_step("estimate_wrong_answers"),
    script:
        STEP


rule estimate_pain:
    input:
        **pain_trial_inputs(),
        trials=f"{COHORT}/new_user_trials.parquet",
        long_term=f"{COHORT}/long_term.parquet",
    output:
        estimates=f"{COHORT}/pain_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_pain.log",
    params:
        step=for_step("estimate_pain"),
    script:
        STEP
