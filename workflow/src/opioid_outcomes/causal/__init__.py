"""General causal estimators and balance; they know nothing of opioids."""
