"""What speaks to SES, SQS and Redis. Thin: a call goes out, an answer comes back as one of our values."""
