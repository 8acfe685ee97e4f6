"""Request bodies of the v2 API, as far as the simulator reads them; unknown members are let through."""

from typing import Annotated, Any, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.identities import BehaviorOnMxFailure
from postroom_local.simulator.ses_errors import bad_request, malformed_body
from postroom_local.simulator.suppression import SuppressionReason

#: What names of configuration sets and event destinations may be made of.
#: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSet.html
ResourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class RequestBody(BaseModel):
    """Anything in a body: members spelled as AWS spells them."""

    model_config = ConfigDict(alias_generator=to_pascal, frozen=True)


AnyBody = TypeVar("AnyBody", bound=RequestBody)


def parsed(body: bytes, kind: type[AnyBody]) -> AnyBody:
    """The body of a request; an empty one counts as `{}`.

    Raises `SesError`: SerializationException for what is not JSON, BadRequestException for what does not fit.
    """
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise malformed_body("The request body is not valid JSON.") from error
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"1 validation error detected: value at '{where}': {first['msg']}") from error


class TextContent(RequestBody):
    """A subject or one body part."""

    data: str


class Body(RequestBody):
    """The text and HTML of a Simple message."""

    text: TextContent | None = None
    html: TextContent | None = None


class Header(RequestBody):
    """One of the caller's own headers."""

    name: str
    value: str


class Attachment(RequestBody):
    """An attached file."""

    raw_content: Base64Bytes
    file_name: str
    content_type: str | None = None


class SimpleContent(RequestBody):
    """A message that SES assembles."""

    subject: TextContent
    body: Body
    headers: tuple[Header, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class RawContent(RequestBody):
    """A whole MIME message."""

    data: Base64Bytes


class InlineTemplate(RequestBody):
    """A template that comes with the request."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


class TemplateContent(RequestBody):
    """A message from a template, stored or inline."""

    template_name: str | None = None
    template_content: InlineTemplate | None = None
    template_data: Annotated[str | None, Field(max_length=262_144)] = None
    headers: tuple[Header, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class EmailContent(RequestBody):
    """Exactly one of three."""

    simple: SimpleContent | None = None
    raw: RawContent | None = None
    template: TemplateContent | None = None


class Destination(RequestBody):
    """Who it goes to."""

    to_addresses: tuple[str, ...] = ()
    cc_addresses: tuple[str, ...] = ()
    bcc_addresses: tuple[str, ...] = ()


class MessageTag(RequestBody):
    """A tag that comes back in every event."""

    name: str
    value: str


class SendEmail(RequestBody):
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html."""

    from_email_address: str | None = None
    destination: Destination | None = None
    content: EmailContent
    reply_to_addresses: tuple[str, ...] = ()
    email_tags: tuple[MessageTag, ...] = ()
    configuration_set_name: str | None = None


class BulkContent(RequestBody):
    """What all entries of a bulk send share."""

    template: TemplateContent


class ReplacementTemplate(RequestBody):
    """One entry's own template variables."""

    replacement_template_data: str | None = None


class ReplacementContent(RequestBody):
    """One entry's own content."""

    replacement_template: ReplacementTemplate | None = None


class BulkEntry(RequestBody):
    """One message of a bulk send."""

    destination: Destination
    replacement_tags: tuple[MessageTag, ...] = ()
    replacement_email_content: ReplacementContent | None = None
    replacement_headers: tuple[Header, ...] = ()


class SendBulkEmail(RequestBody):
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html."""

    from_email_address: str | None = None
    reply_to_addresses: tuple[str, ...] = ()
    default_email_tags: tuple[MessageTag, ...] = ()
    default_content: BulkContent
    bulk_email_entries: tuple[BulkEntry, ...]
    configuration_set_name: str | None = None


class SendingSwitch(RequestBody):
    """Sending on or off, for the account or a configuration set."""

    sending_enabled: bool = False


class SuppressionOptions(RequestBody):
    """Which feedback puts addresses on the account-level list, and which entries are heeded."""

    suppressed_reasons: frozenset[SuppressionReason] | None = None


class PageRequest(RequestBody):
    """One page of a listing."""

    next_token: str | None = None
    page_size: int | None = None


class CreateEmailIdentity(RequestBody):
    """A new identity."""

    email_identity: Annotated[str, Field(min_length=1)]
    configuration_set_name: str | None = None


class PutMailFrom(RequestBody):
    """A custom MAIL FROM domain; none takes it away."""

    mail_from_domain: str | None = None
    behavior_on_mx_failure: BehaviorOnMxFailure = "USE_DEFAULT_VALUE"


class PutDefaultConfigurationSet(RequestBody):
    """An identity's default configuration set; none takes it away."""

    configuration_set_name: str | None = None


class CreateConfigurationSet(RequestBody):
    """A new configuration set."""

    configuration_set_name: ResourceName
    tracking_options: dict[str, Any] | None = None
    delivery_options: dict[str, Any] | None = None
    reputation_options: dict[str, Any] | None = None
    sending_options: SendingSwitch | None = None
    suppression_options: SuppressionOptions | None = None


class SnsDestination(RequestBody):
    """The topic that events go to."""

    topic_arn: str


class EventDestinationDefinition(RequestBody):
    """What an event destination takes and where it publishes."""

    enabled: bool = False
    matching_event_types: tuple[EventType, ...] = ()
    sns_destination: SnsDestination | None = None


class CreateEventDestination(RequestBody):
    """A new event destination."""

    event_destination_name: ResourceName
    event_destination: EventDestinationDefinition


class UpdateEventDestination(RequestBody):
    """A changed event destination."""

    event_destination: EventDestinationDefinition


class CreateTemplate(RequestBody):
    """A new stored template."""

    template_name: Annotated[str, Field(min_length=1)]
    template_content: InlineTemplate


class UpdateTemplate(RequestBody):
    """A changed stored template."""

    template_content: InlineTemplate


class PutSuppressedDestination(RequestBody):
    """A new entry of the account-level list."""

    email_address: str
    reason: SuppressionReason
