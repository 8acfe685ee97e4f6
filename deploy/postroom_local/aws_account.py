"""The AWS account that the local stack plays, and what its resources are called."""

#: One of the account numbers that AWS uses in its documentation.
ACCOUNT_ID = "111122223333"
REGION = "eu-west-1"
#: Signatures are not checked locally; botocore still refuses to sign without keys.
ACCESS_KEY_ID = "postroom-local"
SECRET_ACCESS_KEY = "postroom-local"  # noqa: S105 - not a secret, see above

CONFIGURATION_SET = "postroom"
EVENT_DESTINATION = "postroom-feedback"
FEEDBACK_TOPIC = "postroom-feedback"
FEEDBACK_QUEUE = "postroom-feedback"
FEEDBACK_DEAD_LETTER_QUEUE = "postroom-feedback-dead-letters"

#: The verified identity that the local stack sends from. It covers its subdomains, as SES's domain identities do.
SENDER_DOMAIN = "postroom.example"
DEFAULT_SENDER = f"hello@{SENDER_DOMAIN}"
