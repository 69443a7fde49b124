"""CloudWatch's two halves that moto lacks: services' own metrics, and alarms that are evaluated.

``monitor`` is the one task of both. ``collector`` puts what the sources (``queues``, ``functions``, ``pipes``) read off
the services. ``evaluator`` reads alarms and data through a port and sets their states; ``statistics``, ``expressions``,
``judgement`` and ``composite`` are what it computes with, ``notices`` what it sends. How time is shortened says
``monitor``. Knows of ``aws`` and ``events``.
"""
