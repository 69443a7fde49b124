"""The command ``sandbox``: starting and stopping, tables, logs, the demo. May know of every other folder."""
