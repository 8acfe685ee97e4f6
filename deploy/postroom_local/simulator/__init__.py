"""A simulated Amazon SES: the v2 API on its real wire protocol, with SES's rules, mailboxes that answer, and events.

It is used through the unmodified botocore client. State lives in memory and ends with the process. What is known of
SES's behaviour is kept; what AWS does not document is marked as a choice where it is made.
"""
