rule explain_exposure:
    input:
        own=own_files("explain_exposure", None),
        # a study without results leaves nothing in reports/
        results=f"{DERIVED}/estimates.parquet",
    output:
        example=f"{REPORTS}/figures/exposure_example.csv",
    log:
        f"{LOGS}/explain_exposure.log",
    params:
        step=for_step("explain_exposure"),
    script:
        STEP
