rule estimate_mortality:
    input:
        **canonical("persons", "observation"),
        own=own_files("estimate_mortality", None),
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
    output:
        estimates=f"{COHORT}/mortality_estimates.parquet",
        survival=f"{COHORT}/displays/survival.parquet",
        dose_response=f"{COHORT}/displays/dose_response.parquet",
        proportional_hazards=f"{COHORT}/displays/proportional_hazards.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_mortality.log",
    params:
        step=for_step("estimate_mortality"),
    script:
        STEP


rule emulate_trials:
    input:
        **canonical(
            "persons",
            "observation",
            "dispensings",
            "diagnoses",
            "pain",
            "measurements",
            "stays",
            "therapies",
            "deaths",
        ),
        own=own_files("emulate_trials", None),
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        dispensings_clean=f"{COHORT}/dispensings_clean.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
    output:
        trials=f"{COHORT}/new_user_trials.parquet",
    log:
        f"{LOGS}/{{cohort}}/emulate_trials.log",
    params:
        step=for_step("emulate_trials"),
    script:
        STEP


rule estimate_new_user:
    input:
        **canonical(
            "persons",
            "observation",
            "dispensings",
            "diagnoses",
            "pain",
            "measurements",
            "stays",
            "therapies",
            "deaths",
        ),
        trials=f"{COHORT}/new_user_trials.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
    output:
        estimates=f"{COHORT}/new_user_estimates.parquet",
        new_user_balance=f"{COHORT}/displays/new_user_balance.parquet",
        new_user_survival=f"{COHORT}/displays/new_user_survival.parquet",
        new_user_diagnostics=f"{COHORT}/displays/new_user_diagnostics.parquet",
        missing_by_arm=f"{COHORT}/displays/missing_by_arm.parquet",
        cause_incidence=f"{COHORT}/displays/cause_incidence.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_new_user.log",
    params:
        step=for_step("estimate_new_user"),
    script:
        STEP


rule estimate_msm:
    input:
        **canonical(
            "persons",
            "dispensings",
            "diagnoses",
            "pain",
            "measurements",
            "stays",
        ),
        daily_dose=f"{COHORT}/daily_dose.parquet",
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        panel=f"{COHORT}/panel.parquet",
    output:
        estimates=f"{COHORT}/msm_estimates.parquet",
        msm_weights=f"{COHORT}/displays/msm_weights.parquet",
        msm_truncation=f"{COHORT}/displays/msm_truncation.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_msm.log",
    params:
        step=for_step("estimate_msm"),
    script:
        STEP


rule estimate_sustained:
    input:
        **canonical(
            "persons",
            "observation",
            "dispensings",
            "diagnoses",
            "pain",
            "measurements",
            "stays",
            "therapies",
            "deaths",
        ),
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        panel=f"{COHORT}/panel.parquet",
        long_term=f"{COHORT}/long_term.parquet",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
    output:
        estimates=f"{COHORT}/sustained_estimates.parquet",
        sustained_survival=f"{COHORT}/displays/sustained_survival.parquet",
        sustained_diagnostics=f"{COHORT}/displays/sustained_diagnostics.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_sustained.log",
    params:
        step=for_step("estimate_sustained"),
    script:
        STEP


rule estimate_negative_controls:
    input:
        **canonical("persons", "observation", "dispensings", "diagnoses"),
        own=own_files("estimate_negative_controls", None),
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
    output:
        estimates=f"{COHORT}/negative_control_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_negative_controls.log",
    params:
        step=for_step("estimate_negative_controls"),
    script:
        STEP


rule estimate_addiction:
    input:
        **canonical("persons", "observation", "dispensings", "diagnoses"),
        own=own_files("estimate_addiction", None),
        person_time=f"{COHORT}/person_time.parquet",
        cohort=f"{COHORT}/cohort.parquet",
        notes=f"{COHORT}/cohort_notes.json",
        opioid_status=f"{COHORT}/opioid_status.parquet",
        daily_dose=f"{COHORT}/daily_dose.parquet",
    output:
        estimates=f"{COHORT}/addiction_estimates.parquet",
    log:
        f"{LOGS}/{{cohort}}/estimate_addiction.log",
    params:
        step=for_step("estimate_addiction"),
    script:
        STEP


rule describe_target_trials:
    input:
        # a study without results leaves nothing in reports/
        results=f"{DERIVED}/estimates.parquet",
    output:
        trials=f"{REPORTS}/{workflow_plan.TARGET_TRIALS}",
    log:
        f"{LOGS}/describe_target_trials.log",
    params:
        step=for_step("describe_target_trials"),
    script:
        STEP
