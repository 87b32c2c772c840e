"""What every section of the config shares: unknown keys are refused, and every key says how to choose it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_DAYS = 36_525  # a hundred years: longer than anybody is followed, and far from what a column of days can hold
Day = Annotated[int, Field(ge=0, le=MAX_DAYS)]


class Section(BaseModel):
    """A section of the config."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, validate_default=True, allow_inf_nan=False)


def key(default: Any, how_to_choose: str, *, available: tuple[Any, ...] | None = None, **rules: Any) -> Any:
    """A key with its default and a sentence on how to choose it.

    ``available`` names the choices this version can carry out, where the contract names more: the others are refused
    with "not in this version", never accepted and ignored. ``available=(default,)`` therefore reserves a key.
    """
    extra: Any = None if available is None else {"available": list(available)}
    if callable(default):
        return Field(default_factory=default, description=how_to_choose, json_schema_extra=extra, **rules)
    return Field(default=default, description=how_to_choose, json_schema_extra=extra, **rules)
