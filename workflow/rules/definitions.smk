rule define_doses:
    input:
        **canonical("observation", "deaths", "stays"),
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
        own=own_files("define_doses", None),
    output:
        mme_definitions=f"{COHORT}/mme_definitions.parquet",
        thresholds=f"{COHORT}/displays/mme_thresholds.parquet",
    log:
        f"{LOGS}/{{cohort}}/define_doses.log",
    params:
        step=for_step("define_doses"),
    script:
        STEP
