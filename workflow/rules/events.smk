rule find_dose_events:
    input:
        **canonical("dispensings", "observation", "deaths"),
        daily_dose=f"{COHORT}/daily_dose.parquet",
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
        own=own_files("find_dose_events", None),
    output:
        events=f"{COHORT}/dose_events.parquet",
        long_term=f"{COHORT}/long_term.parquet",
        concurrent=f"{COHORT}/concurrent.parquet",
        events_display=f"{COHORT}/displays/dose_events.parquet",
        long_term_display=f"{COHORT}/displays/long_term.parquet",
        concurrent_display=f"{COHORT}/displays/concurrent_use.parquet",
    log:
        f"{LOGS}/{{cohort}}/find_dose_events.log",
    params:
        step=for_step("find_dose_events"),
    script:
        STEP
