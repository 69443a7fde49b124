"""The command ``durable-ops``: options, tables, progress, exit codes. Knows of ``ops``: the modules beside this folder."""
