rule estimate_hyperalgesia:
    input:
        **canonical("pain"),
        daily_dose=f"{COHORT}/daily_dose.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        cohort=f"{COHORT}/cohort.parquet",
    output:
        estimates=f"{COHORT}/hyperalgesia_estimates.parquet",
        pain_escalation=f"{COHORT}/displays/pain_escalation.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_hyperalgesia.log",
    params:
        step=for_step("estimate_hyperalgesia"),
    script:
        STEP
