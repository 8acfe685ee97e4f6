"""The local stack: an embedded Valkey, a simulated Amazon SES, and SNS and SQS behind it, all on loopback.

The demo and the tests run on it. Nothing here is part of a deployment.
"""
