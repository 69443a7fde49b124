"""Kinesis and DynamoDB streams: shards, batches, windows and what becomes of records that fail.

Knows ``aws`` and the shared values of ``events``; neither the services nor moto.
"""
