"""The mortality analyses, one file each, built from survival and causal."""
