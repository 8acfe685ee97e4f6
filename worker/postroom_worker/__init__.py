"""Postroom's ways out and back: the workers that send, the consumer that reads what SES reports."""
