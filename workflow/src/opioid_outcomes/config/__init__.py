"""The study's configuration: pydantic models (a file per section), loading, and what is generated from them."""
