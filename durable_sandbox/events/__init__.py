"""The event plane: pollers, Lambda's asynchronous queue, deliveries, filters and templates.

Reaches every service through ``aws.call.Api`` with the role that AWS would use. Knows of ``aws`` alone.
"""
