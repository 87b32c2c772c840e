rule estimate_mortality:
    input:
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
    output:
        estimates=f"{COHORT}/mortality_estimates.parquet",
        survival=f"{COHORT}/displays/survival.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_mortality.log",
    params:
        step=for_step("estimate_mortality"),
    script:
        STEP
