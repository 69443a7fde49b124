"""EventBridge Pipes: the control plane. Knows of ``events`` (which moves the messages) and ``aws``."""
