"""Disclosure: the only step that writes what may leave, and with it what the results rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import yaml

from opioid_outcomes import io, provenance
from opioid_outcomes.contracts.display import Display
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.disclosure import displays, estimates
from opioid_outcomes.disclosure.profile import PROFILES, Profile
from opioid_outcomes.disclosure.sentences import blurred
from opioid_outcomes.synthesis import truth

Files = dict[str, Any]


def disclose_results(inputs: Files, outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Everything under reports/<study>/ but the rendered report itself."""
    profile = PROFILES[settings["disclosure"]["profile"]]
    cohorts = sorted(settings["cohorts"])
    numbers = estimates.released(pl.read_parquet(inputs["estimates"]), profile)
    io.write_frame(numbers, outputs["estimates"])
    suppressed = 0
    for name, contract in DISPLAYS.items():
        shown = _released(contract, cohorts, inputs[name], profile)
        suppressed += int((shown["suppressed"] > 0).sum())
        io.write_frame(shown, outputs[name])
    io.write_frame(truth.compare(_planted(settings, inputs["truths"]), numbers), outputs["truth"])
    notes = _notes(cohorts, inputs["notes"])
    io.write_json(outputs["release"], _release(settings, profile, notes))
    io.write_json(outputs["manifest"], _manifest(settings, profile, notes))
    io.write_text(outputs["config"], yaml.safe_dump(_config(settings), sort_keys=False, allow_unicode=True))
    hidden = numbers.filter(pl.col("gate").str.starts_with("not evaluable: withheld")).height
    return f"profile {profile.name}: {numbers.height} estimates ({hidden} hidden), {suppressed} display rows hidden"


def _released(contract: Display, cohorts: list[str], paths: list[Path], profile: Profile) -> pl.DataFrame:
    frames = []
    for cohort, path in zip(cohorts, paths, strict=True):
        frame = _read_csv(path, contract) if path.suffix == ".csv" else pl.read_parquet(path)
        frames.append(displays.released(frame, contract, profile).insert_column(0, pl.lit(cohort).alias("cohort")))
    return pl.concat(frames, how="vertical_relaxed")


def _read_csv(path: Path, contract: Display) -> pl.DataFrame:
    """Counts are numbers also in a table without rows."""
    return pl.read_csv(path, schema_overrides=dict.fromkeys(contract.counts, pl.Int64()))


def _planted(settings: dict[str, Any], paths: list[Path]) -> list[dict[str, Any]]:
    """The truths of simulated cohorts, by the folder they stand in."""
    folders = {cohort["path"]: name for name, cohort in sorted(settings["cohorts"].items()) if cohort["simulate"]}
    return [record | {"cohort": folders[str(path.parent)]} for path in paths for record in io.read_json(path)]


def _notes(cohorts: list[str], paths: list[Path]) -> dict[str, dict[str, Any]]:
    """What ingest, exposure and cohort noted, per cohort; lists are joined in that order."""
    notes: dict[str, dict[str, Any]] = {name: {"warnings": [], "costs": []} for name in cohorts}
    for path in paths:
        into = notes[path.parent.name]
        for key, value in io.read_json(path).items():
            if key in ("warnings", "costs"):
                into[key] += value
            else:
                into[key] = value
    return notes


def _release(settings: dict[str, Any], profile: Profile, notes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    cohorts = {}
    for name, cohort in settings["cohorts"].items():
        simulate = cohort["simulate"]
        cohorts[name] = {
            "simulated": simulate is not None,
            "world": simulate["world"] if simulate else None,
            "format": cohort["format"],
            "date_basis": cohort["date_basis"],
            "exposure": notes[name].get("exposure", "none"),
            "warnings": _blurred(notes[name]["warnings"], profile),
            "costs": _blurred(notes[name]["costs"], profile),
        }
    return {
        "profile": profile.name,
        "threshold": profile.threshold,
        "rounding": profile.base,
        "rule": profile.rule,
        "marked": profile.name == "none",
        "reason": settings["disclosure"]["reason"],
        "pool": settings["synthesis"]["pool"],
        "cohorts": cohorts,
    }


def _blurred(sentences: list[str], profile: Profile) -> list[str]:
    frame = pl.DataFrame({"words": sentences}, schema={"words": pl.String()})
    return frame.select(blurred("words", profile))["words"].to_list()


def _manifest(settings: dict[str, Any], profile: Profile, notes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the results rest on. No time of day, machine or path: same inputs, same bytes."""
    rows = {name: note.get("rows", {}) for name, note in notes.items()}
    return {
        "study": settings["study"]["name"],
        "code_hash": provenance.package_hash(),
        "config_hash": provenance.text_hash(provenance.canonical_json(_config(settings))),
        "versions": provenance.versions(),
        "seeds": {"study": settings["study"]["seed"]}
        | {name: cohort["simulate"]["seed"] for name, cohort in settings["cohorts"].items() if cohort["simulate"]},
        "inputs": [{"cohort": name, **entry} for name, note in notes.items() for entry in note.get("inputs", [])],
        "rows": {name: _shown(tables, profile) for name, tables in rows.items()},
    }


def _shown(tables: dict[str, int], profile: Profile) -> dict[str, int | str]:
    """Rows read per table, through the same door."""
    counts = pl.DataFrame(
        {"table": list(tables), "rows": list(tables.values())}, schema={"table": pl.String(), "rows": pl.Int64()}
    )
    shown = counts.select("table", shown=pl.when(profile.small("rows")).then(None).otherwise(profile.rounded("rows")))
    return {table: f"<{profile.threshold}" if rows is None else rows for table, rows in shown.iter_rows()}


def _config(settings: dict[str, Any]) -> dict[str, Any]:
    """The whole config as it was resolved, in the order of its models."""
    return {name: value for name, value in settings.items() if name not in ("cohort_name", "seed")}
