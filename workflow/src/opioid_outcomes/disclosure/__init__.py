"""The one door out: small cells suppressed and counts rounded before anything reaches reports."""
