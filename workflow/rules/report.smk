rule write_report:
    input:
        **released_displays(),
        estimates=f"{REPORTS}/estimates.csv",
        release=f"{REPORTS}/release.json",
        manifest=f"{REPORTS}/manifest.json",
        truth=f"{REPORTS}/tables/truth.csv",
        example=f"{REPORTS}/{workflow_plan.WORKED_EXAMPLE}",
        trials=f"{REPORTS}/{workflow_plan.TARGET_TRIALS}",
    output:
        **report_files(),
    log:
        f"{LOGS}/write_report.log",
    params:
        step=for_step("write_report"),
    script:
        STEP
