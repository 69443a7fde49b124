"""Local AWS with real durable executions: one process, one port, plain ``AWS_ENDPOINT_URL``.

Imports run one way, top to bottom: ``cli`` and ``pytest_plugin`` -> ``server`` -> ``services``, ``moto_adapter``
-> ``events``, ``durable``, ``runtime`` -> ``aws``. Each folder says in its own docstring what it may know of.
"""

__version__ = "0.1.0"
