"""API Gateway version 2: the control plane of WebSocket APIs, and of HTTP APIs without serving them.

Knows of ``aws`` and ``events``.
"""
