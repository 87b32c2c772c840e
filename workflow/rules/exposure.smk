rule derive_exposure:
    input:
        **canonical(
            "persons", "observation", "dispensings", "opioid_use", "deaths", "stays"
        ),
        user_files=user_files("derive_exposure"),
    output:
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
        episodes=f"{COHORT}/episodes.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        ledger=f"{COHORT}/displays/exposure_ledger.parquet",
        notes=f"{COHORT}/exposure_notes.json",
    log:
        f"{LOGS}/{{cohort}}/derive_exposure.log",
    params:
        step=for_step("derive_exposure"),
    script:
        STEP
