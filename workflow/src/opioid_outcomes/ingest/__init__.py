"""Raw files to canonical tables; every input row ends in a canonical table or in rejected.parquet."""
