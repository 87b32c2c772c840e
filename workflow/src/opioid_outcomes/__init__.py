"""Survival and hyperalgesia analyses of long-term opioid therapy in chronic pain cohorts."""
