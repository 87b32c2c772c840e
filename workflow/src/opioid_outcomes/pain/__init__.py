"""The other claims about pain: does it get better on opioids, after them, and with what else is done for it.

- ``new_user``: pain a year after starting an opioid, against a comparator (``pain.new_user``)
- ``after_stopping``: pain by time since the end of supply (``pain.after_stopping``; ``stops`` finds the ends and the
  scores around them, ``mixed`` is the linear mixed model beside the weighted means)
- ``therapy_interaction``: exercise, acupuncture and mind-body therapies on and off opioids
- ``history``: pain before a day; ``att``: two arms of decisions compared, with their gates
"""
