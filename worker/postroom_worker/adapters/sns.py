"""Confirms a topic's subscription through SNS's API, never by following the link in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from postroom_worker.feedback_ports import FeedbackQueueError

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient


class SnsTopicSubscriptions:
    """`TopicSubscriptions` on SNS."""

    def __init__(self, client: SNSClient) -> None:
        self._client = client

    async def confirm(self, *, topic_arn: str, token: str) -> None:
        """Confirm a subscription; a token is good for two days."""
        try:
            await self._client.confirm_subscription(TopicArn=topic_arn, Token=token)
        except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
            raise FeedbackQueueError(f"{type(error).__name__}: {error}") from error
