"""Everything the sandbox does to moto: running it behind one port, and closing its gaps.

Known to the server alone. Knows of ``aws``, ``events`` (event patterns), ``iam`` and ``metrics``.
"""
