rule derive_exposure:
    input:
        **canonical(
            "persons", "observation", "dispensings", "opioid_use", "deaths", "stays"
        ),
        own=own_files("derive_exposure", None),
    output:
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        ledger=f"{COHORT}/displays/exposure_ledger.parquet",
        repair_sensitivity=f"{COHORT}/displays/repair_sensitivity.parquet",
        notes=f"{COHORT}/exposure_notes.json",
    log:
        f"{LOGS}/{{cohort}}/derive_exposure.log",
    params:
        step=for_step("derive_exposure"),
    script:
        STEP


rule describe_episodes:
    input:
        daily_dose=f"{COHORT}/daily_dose.parquet",
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
    output:
        episodes=f"{COHORT}/episodes.parquet",
        gap_distribution=f"{COHORT}/displays/gap_distribution.parquet",
        episode_summary=f"{COHORT}/displays/episode_summary.parquet",
    log:
        f"{LOGS}/{{cohort}}/describe_episodes.log",
    params:
        step=for_step("describe_episodes"),
    script:
        STEP
