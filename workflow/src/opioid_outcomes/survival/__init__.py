"""General survival estimators; they know nothing of opioids."""
