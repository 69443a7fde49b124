"""The official durable engine (aws-durable-execution-sdk-python-testing), adapted to the sandbox.

The engine decides what an execution does; here are only its surroundings: one event loop instead of threads, a clock
for each execution, real ARNs, names that start an execution once. Knows of ``aws`` alone: functions, roles and
environments reach it through the protocols in ``ports``.
"""
