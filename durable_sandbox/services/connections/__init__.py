"""@connections of WebSocket APIs, by which backends reach clients. Knows of ``aws`` and ``events``."""
