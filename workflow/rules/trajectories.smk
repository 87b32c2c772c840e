rule describe_trajectories:
    input:
        daily_dose=f"{COHORT}/daily_dose.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        person_time=f"{COHORT}/person_time.parquet",
    output:
        dose_distribution=f"{COHORT}/displays/dose_distribution.parquet",
        dose_trajectory=f"{COHORT}/displays/dose_trajectory.parquet",
        dose_bands=f"{COHORT}/displays/dose_bands.parquet",
        use_history=f"{COHORT}/displays/use_history.parquet",
    log:
        f"{LOGS}/{{cohort}}/describe_trajectories.log",
    params:
        step=for_step("describe_trajectories"),
    script:
        STEP


rule classify_trajectories:
    input:
        own=own_files("classify_trajectories", None),
        daily_dose=f"{COHORT}/daily_dose.parquet",
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
    output:
        trajectories=f"{COHORT}/trajectories.parquet",
        models=f"{COHORT}/displays/trajectory_models.parquet",
        classes=f"{COHORT}/displays/trajectory_classes.parquet",
    log:
        f"{LOGS}/{{cohort}}/classify_trajectories.log",
    params:
        step=for_step("classify_trajectories"),
    script:
        STEP


rule estimate_trajectories:
    input:
        **canonical(
            "observation",
            "persons",
            "diagnoses",
            "dispensings",
            "pain",
            "measurements",
        ),
        own=own_files("estimate_trajectories", None),
        trajectories=f"{COHORT}/trajectories.parquet",
        models=f"{COHORT}/displays/trajectory_models.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        panel=f"{COHORT}/panel.parquet",
        dose_events=f"{COHORT}/dose_events.parquet",
        long_term=f"{COHORT}/long_term.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
    output:
        estimates=f"{COHORT}/trajectory_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_trajectories.log",
    params:
        step=for_step("estimate_trajectories"),
    script:
        STEP
