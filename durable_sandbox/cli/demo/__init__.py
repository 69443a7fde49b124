"""``sandbox demo``: apply the sample pipeline, send messages, follow each to its end, report."""
