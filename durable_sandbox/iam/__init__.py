"""IAM: policy documents, their evaluation, the actions that API calls need, and a log of decisions.

Pure: no I/O, no other service. Policies come in through ``model.PolicySource``. Knows of ``aws`` alone.
"""
