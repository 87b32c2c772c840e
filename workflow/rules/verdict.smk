rule judge_hyperalgesia:
    input:
        estimates=f"{REPORTS}/estimates.csv",
        facts=of_every_cohort(f"{COHORT}/hyperalgesia_facts.json"),
    output:
        verdict=f"{REPORTS}/{workflow_plan.VERDICT}",
        calibration=f"{REPORTS}/{workflow_plan.CALIBRATION}",
    log:
        f"{LOGS}/judge_hyperalgesia.log",
    params:
        step=for_step("judge_hyperalgesia"),
    script:
        STEP
