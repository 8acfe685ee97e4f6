"""The stock AWS clients, for the services of the local stack."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiobotocore.session import AioSession

from postroom_local.aws_account import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

if TYPE_CHECKING:
    from types_aiobotocore_sesv2 import SESV2Client
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsClients:
    """Makes clients for services at these URLs; SNS and SQS may share one.

    All come from one session, which reads each service's model from disk only once.
    """

    ses_endpoint: str
    sns_endpoint: str
    sqs_endpoint: str
    _session: AioSession = field(default_factory=AioSession)

    def ses(self) -> AbstractAsyncContextManager["SESV2Client"]:
        """A client for SES v2."""
        return self._session.create_client(
            "sesv2",
            endpoint_url=self.ses_endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    def sns(self) -> AbstractAsyncContextManager["SNSClient"]:
        """A client for SNS."""
        return self._session.create_client(
            "sns",
            endpoint_url=self.sns_endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    def sqs(self) -> AbstractAsyncContextManager["SQSClient"]:
        """A client for SQS."""
        return self._session.create_client(
            "sqs",
            endpoint_url=self.sqs_endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )
