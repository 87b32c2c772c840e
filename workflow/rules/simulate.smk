rule simulate_cohort:
    output:
        truth="{folder}/truth.json",
    log:
        f"{LOGS}/{{folder}}/simulate_cohort.log",
    params:
        step=for_step("simulate_cohort"),
    script:
        STEP
