"""The services that are ours: state, and one method an API operation. Know of ``events``, ``durable``, ``runtime``, ``aws``."""
