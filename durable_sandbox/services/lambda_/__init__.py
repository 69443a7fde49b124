"""AWS Lambda, control and data plane, with durable functions."""
