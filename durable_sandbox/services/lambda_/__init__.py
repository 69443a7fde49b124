"""AWS Lambda, control and data plane, with durable functions. Knows of ``aws``, ``durable``, ``events`` and ``runtime``."""
