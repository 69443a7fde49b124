"""``sandbox ws``: a small client for WebSocket APIs, on AWS as well."""
