"""WebSocket APIs of API Gateway at work: connections, routes, integrations, authorizers, @connections.

Part of ``events``: it acts through AWS's own API, with the roles and resource policies that API Gateway would use.
"""
