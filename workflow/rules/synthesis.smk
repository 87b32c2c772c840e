rule synthesize_estimates:
    input:
        mortality=of_every_cohort(f"{COHORT}/mortality_estimates.parquet"),
        hyperalgesia=of_every_cohort(f"{COHORT}/hyperalgesia_estimates.parquet"),
        trajectories=of_every_cohort(f"{COHORT}/trajectory_estimates.parquet"),
        attrition=of_every_cohort(f"{COHORT}/attrition.csv"),
    output:
        estimates=f"{DERIVED}/estimates.parquet",
    log:
        f"{LOGS}/synthesize_estimates.log",
    params:
        step=for_step("synthesize_estimates"),
    script:
        STEP
