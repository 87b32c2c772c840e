rule build_cohort:
    input:
        **canonical(),
        rejected=f"{COHORT}/rejected.parquet",
        quality=f"{COHORT}/quality.csv",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
        own=own_files("build_cohort", None),
    output:
        attrition=f"{COHORT}/attrition.csv",
        cohort=f"{COHORT}/cohort.parquet",
        person_time=f"{COHORT}/person_time.parquet",
        panel=f"{COHORT}/panel.parquet",
        table_one=f"{COHORT}/displays/table_one.parquet",
        notes=f"{COHORT}/cohort_notes.json",
    log:
        f"{LOGS}/{{cohort}}/build_cohort.log",
    params:
        step=for_step("build_cohort"),
    script:
        STEP
