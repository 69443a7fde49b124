"""``sandbox soak``: many messages through the sample pipeline with faults on every side, and an account of each."""
