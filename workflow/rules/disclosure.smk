rule disclose_results:
    input:
        **frames_to_release(),
        estimates=f"{DERIVED}/estimates.parquet",
        truths=list(truth_files()),
        notes=of_every_cohort(f"{COHORT}/ingest_notes.json")
        + of_every_cohort(f"{COHORT}/exposure_notes.json")
        + of_every_cohort(f"{COHORT}/cohort_notes.json"),
    output:
        **released_displays(),
        estimates=f"{REPORTS}/estimates.csv",
        release=f"{REPORTS}/release.json",
        manifest=f"{REPORTS}/manifest.json",
        config=f"{REPORTS}/config.resolved.yaml",
        truth=f"{REPORTS}/tables/truth.csv",
    log:
        f"{LOGS}/disclose_results.log",
    params:
        step=for_step("disclose_results"),
    script:
        STEP
