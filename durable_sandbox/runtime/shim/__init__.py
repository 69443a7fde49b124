"""Put on a function's module path, beside awslambdaric; never imported by the sandbox itself."""
