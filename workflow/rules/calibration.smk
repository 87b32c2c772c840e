# Not part of a study's results: `snakemake calibrate` writes the table, and the next run judges with it.
BATCHES = f"{DERIVED}/calibration/{{cohort}}"


rule calibrate_world:
    input:
        **pain_trial_inputs(),
    output:
        replicates=f"{BATCHES}/{{world}}-{{batch}}.parquet",
    log:
        f"{LOGS}/{{cohort}}/calibrate-{{world}}-{{batch}}.log",
    params:
        step=for_step("calibrate_world"),
    script:
        STEP


rule gather_calibration:
    input:
        replicates=calibration_batches(),
    output:
        table=OWN_CALIBRATION,
    log:
        f"{LOGS}/gather_calibration.log",
    params:
        step=for_step("gather_calibration"),
    script:
        STEP


rule calibrate:
    input:
        OWN_CALIBRATION,
