from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/exposure.smk"
include: "workflow/rules/definitions.smk"
include: "workflow/rules/events.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/trajectories.smk"
include: "workflow/rules/mortality.smk"
include: "workflow/rules/hyperalgesia.smk"
include: "workflow/rules/synthesis.smk"
include: "workflow/rules/example.smk"
include: "workflow/rules/disclosure.smk"
include: "workflow/rules/verdict.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        contract_outputs(),


onstart:
    workflow_plan.forget_mistakes(Path(LOGS))


onerror:
    workflow_plan.exit_after_mistakes(Path(LOGS), workflow)
