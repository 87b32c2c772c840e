rule ingest_cohort:
    input:
        raw_files,
    output:
        **canonical(),
        rejected=f"{COHORT}/rejected.parquet",
        quality=f"{COHORT}/quality.csv",
        quality_rules=f"{COHORT}/quality_rules.csv",
        notes=f"{COHORT}/ingest_notes.json",
    log:
        f"{LOGS}/{{cohort}}/ingest_cohort.log",
    params:
        step=for_step("ingest_cohort"),
    script:
        STEP


rule check:
    log:
        f"{LOGS}/check.log",
    params:
        step=for_step("check"),
    script:
        STEP
