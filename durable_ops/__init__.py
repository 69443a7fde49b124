"""Operating a deployed pipeline: dead letters, executions, callbacks. The same on AWS and in the sandbox.

All of it is boto3 calls behind small classes; ``cli`` alone prints. Knows of no other package.
"""
