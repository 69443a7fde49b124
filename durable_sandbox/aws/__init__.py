"""What every part shares about AWS: calls, callers, errors, ARNs, time. Knows of no other folder."""
