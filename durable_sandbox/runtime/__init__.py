"""Execution environments: processes that run handlers behind the Lambda Runtime API, pooled by function version.

Knows of ``aws`` alone. What a function is (versions, aliases, policies) belongs to ``services.lambda_``.
"""
