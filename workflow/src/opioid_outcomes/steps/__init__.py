"""What each rule of the workflow calls, one module per stage."""

STAGES = {
    "simulate_cohort": "simulate",
    "ingest_cohort": "ingest",
    "check": "check",
    "derive_exposure": "exposure",
    "describe_episodes": "exposure",
    "define_doses": "definitions",
    "find_dose_events": "events",
    "explain_exposure": "example",
    "build_cohort": "cohort",
    "describe_trajectories": "trajectories",
    "classify_trajectories": "trajectories",
    "estimate_trajectories": "trajectory_estimates",
    "estimate_mortality": "mortality",
    "estimate_hyperalgesia": "hyperalgesia",
    "synthesize_estimates": "synthesis",
    "disclose_results": "disclosure",
    "write_report": "report",
}
