"""Amazon SES, API v2: one call is one attempt on the wire, and every way it can end is a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from postroom_worker.adapters.aws import USER_AGENT
from postroom_worker.policy.quota import SendQuota
from postroom_worker.policy.ses_answers import Meaning, SesAnswer, accepted, answer_lost, not_written, understand
from postroom_worker.ports import SesUnavailableError
from postroom_worker.settings import SES_CONNECT_TIMEOUT_SECONDS, SES_READ_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from aiobotocore.session import AioSession
    from types_aiobotocore_sesv2.client import SESV2Client
    from types_aiobotocore_sesv2.type_defs import EmailContentTypeDef, MessageTagTypeDef

    from postroom.addresses import Address
    from postroom.email import Email
    from postroom.job import Job

#: The character set named beside every text. SES encodes for the wire itself.
CHARSET: Final = "UTF-8"

#: Most identities of one page.
#: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListEmailIdentities.html
IDENTITIES_PER_PAGE: Final = 1000

#: Failures before anything of the request was written; without fresh credentials it cannot even be signed.
_NOT_WRITTEN: Final = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)


def ses_client(session: AioSession, *, connections: int) -> AbstractAsyncContextManager[SESV2Client]:
    """Return the one client of a process, for up to `connections` calls at once.

    `total_max_attempts=1`: left to itself botocore repeats a send up to five times, each a possible duplicate and none
    of them paced. Validation of parameters is done already, by the job's own rules.
    """
    config = AioConfig(
        connect_timeout=SES_CONNECT_TIMEOUT_SECONDS,
        read_timeout=SES_READ_TIMEOUT_SECONDS,
        max_pool_connections=connections,
        parameter_validation=False,
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent=USER_AGENT,
    )
    return session.create_client("sesv2", config=config)


class SesV2:
    """Implements `postroom_worker.ports.Ses`."""

    def __init__(self, client: SESV2Client, *, configuration_set: str) -> None:
        self._client = client
        self._configuration_set = configuration_set

    async def send(self, job: Job, *, attempt: int, left_out: frozenset[int]) -> SesAnswer:
        """Make one attempt on the wire; never raises for what SES or the network does."""
        email = job.email
        kept = [None if place in left_out else address for place, address in enumerate(email.recipients)]
        to, cc = len(email.to), len(email.to) + len(email.cc)
        try:
            answer = await self._client.send_email(
                FromEmailAddress=job.sender.wire,
                Destination={
                    "ToAddresses": _wire(kept[:to]),
                    "CcAddresses": _wire(kept[to:cc]),
                    "BccAddresses": _wire(kept[cc:]),
                },
                ReplyToAddresses=[address.wire for address in email.reply_to],
                Content=_content(email),
                EmailTags=_tags(job, attempt),
                ConfigurationSetName=self._configuration_set,
            )
        except ClientError as error:
            return _error_answer(error)
        except BotoCoreError as error:
            return _failure(error)
        # A proxy in between may answer 200 with a page of its own.
        try:
            return accepted(answer["MessageId"])
        except KeyError:
            return answer_lost("NoMessageId")

    async def send_quota(self) -> SendQuota:
        """Read the account's quota; raises `SesUnavailableError`."""
        try:
            account = await self._client.get_account()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise SesUnavailableError(f"GetAccount was answered with {code}") from error
        except BotoCoreError as error:
            raise SesUnavailableError(f"GetAccount failed: {type(error).__name__}") from error
        quota = account["SendQuota"]
        return SendQuota(
            max_send_rate=quota["MaxSendRate"],
            max_24_hour_send=quota["Max24HourSend"],
            sent_last_24_hours=quota["SentLast24Hours"],
            production_access=account["ProductionAccessEnabled"],
            sending_enabled=account["SendingEnabled"],
            enforcement_status=account["EnforcementStatus"],
        )

    async def verified_identities(self) -> list[str]:
        """Return the addresses and domains that are verified, in canonical form; raises `SesUnavailableError`."""
        identities: list[str] = []
        token: str | None = None
        while True:
            try:
                if token is None:
                    page = await self._client.list_email_identities(PageSize=IDENTITIES_PER_PAGE)
                else:
                    page = await self._client.list_email_identities(PageSize=IDENTITIES_PER_PAGE, NextToken=token)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                raise SesUnavailableError(f"ListEmailIdentities was answered with {code}") from error
            except BotoCoreError as error:
                raise SesUnavailableError(f"ListEmailIdentities failed: {type(error).__name__}") from error
            identities += [
                identity["IdentityName"].lower()
                for identity in page.get("EmailIdentities", [])
                if identity.get("VerificationStatus") == "SUCCESS"
            ]
            token = page.get("NextToken")
            if token is None:
                return identities


def _wire(addresses: list[Address | None]) -> list[str]:
    return [address.wire for address in addresses if address is not None]


def _content(email: Email) -> EmailContentTypeDef:
    content: EmailContentTypeDef = {"Simple": {"Subject": {"Data": email.subject, "Charset": CHARSET}, "Body": {}}}
    simple = content["Simple"]
    if email.text is not None:
        simple["Body"]["Text"] = {"Data": email.text, "Charset": CHARSET}
    if email.html is not None:
        simple["Body"]["Html"] = {"Data": email.html, "Charset": CHARSET}
    if email.headers:
        simple["Headers"] = [{"Name": name, "Value": value} for name, value in email.wire_headers.items()]
    return content


def _tags(job: Job, attempt: int) -> list[MessageTagTypeDef]:
    """Return the tags by which feedback finds the job and the attempt again, then the producer's own."""
    tags: list[MessageTagTypeDef] = [
        {"Name": "job_id", "Value": job.id},
        {"Name": "attempt", "Value": str(attempt)},
        {"Name": "lane", "Value": str(job.lane)},
    ]
    if job.stream is not None:
        tags.append({"Name": "stream", "Value": job.stream})
    tags += [{"Name": name, "Value": value} for name, value in job.email.tags.items()]
    return tags


def _error_answer(error: ClientError) -> SesAnswer:
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return understand(code=details.get("Code", ""), status=status, message=details.get("Message", ""))


def _failure(error: BotoCoreError) -> SesAnswer:
    kind = type(error).__name__
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return SesAnswer(Meaning.MISCONFIGURED, kind, "there are no AWS credentials")
    if isinstance(error, _NOT_WRITTEN):
        return not_written(kind)
    if isinstance(error, EndpointConnectionError):
        # aiobotocore gives this name to a refused connection and also to one that was reset after the request had been
        # written (aiohttp.ClientOSError): only the first is certain. See aiobotocore/httpsession.py, `send`.
        cause = error.kwargs.get("error")
        if isinstance(cause, aiohttp.ClientConnectorError):
            return not_written(kind)
    return answer_lost(kind)
