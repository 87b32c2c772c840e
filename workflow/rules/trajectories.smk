rule describe_trajectories:
    input:
        daily_dose=f"{COHORT}/daily_dose.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        person_time=f"{COHORT}/person_time.parquet",
    output:
        dose_distribution=f"{COHORT}/displays/dose_distribution.parquet",
        dose_trajectory=f"{COHORT}/displays/dose_trajectory.parquet",
    log:
        f"{LOGS}/{{cohort}}/describe_trajectories.log",
    params:
        step=for_step("describe_trajectories"),
    script:
        STEP
