"""From a request to a draft, whichever of the three kinds of content it has."""

from collections.abc import Iterable
from itertools import chain

from postroom_local.simulator.envelope import Envelope
from postroom_local.simulator.message import Draft
from postroom_local.simulator.message_limits import (
    checked,
    checked_headers,
    checked_tags,
    has_virus_mark,
    message_bytes,
)
from postroom_local.simulator.raw_message import read_raw_message
from postroom_local.simulator.requests import (
    Attachment,
    BulkEntry,
    Destination,
    MessageTag,
    RawContent,
    SendBulkEmail,
    SendEmail,
    SimpleContent,
    TemplateContent,
)
from postroom_local.simulator.ses_errors import bad_request
from postroom_local.simulator.templates import RenderingError, Template, rendered, template_data


def draft_of(request: SendEmail, *, stored_template: Template | None) -> Draft:
    """The message that a SendEmail describes; `stored_template` is the one it names. Raises `SesError`."""
    content = request.content
    given = [part for part in (content.simple, content.raw, content.template) if part is not None]
    if len(given) != 1:
        raise bad_request("Content must have exactly one of Simple, Raw and Template.")
    tags = checked_tags(request.email_tags)
    if content.raw is not None:
        return checked(_raw_draft(request, content.raw, tags))
    destination = Destination() if request.destination is None else request.destination
    envelope = Envelope.of(request.from_email_address, destination, request.reply_to_addresses)
    if content.simple is not None:
        return checked(_simple_draft(request, content.simple, envelope, tags))
    assert content.template is not None  # noqa: S101 - one of three was given
    template = _template_of(content.template, stored_template)
    return checked(
        _template_draft(
            content.template,
            template,
            envelope,
            operation="SendEmail",
            data=content.template.template_data,
            tags=tags,
            configuration_set=request.configuration_set_name,
        )
    )


def bulk_draft_of(request: SendBulkEmail, entry: BulkEntry, *, stored_template: Template | None) -> Draft:
    """The message that one entry of a SendBulkEmail describes. Raises `SesError`."""
    content = request.default_content.template
    replacement = (
        None if entry.replacement_email_content is None else entry.replacement_email_content.replacement_template
    )
    own_data = None if replacement is None else replacement.replacement_template_data
    return checked(
        _template_draft(
            content,
            _template_of(content, stored_template),
            Envelope.of(request.from_email_address, entry.destination, request.reply_to_addresses),
            operation="SendBulkEmail",
            data=content.template_data if own_data is None else own_data,
            tags={**checked_tags(request.default_email_tags), **checked_tags(entry.replacement_tags)},
            configuration_set=request.configuration_set_name,
        )
    )


def _simple_draft(request: SendEmail, content: SimpleContent, envelope: Envelope, tags: dict[str, str]) -> Draft:
    text = None if content.body.text is None else content.body.text.data
    html = None if content.body.html is None else content.body.html.data
    if text is None and html is None:
        raise bad_request("Body must have Text or Html.")
    return Draft(
        operation="SendEmail",
        sender=envelope.sender,
        sender_address=envelope.sender_address,
        to=envelope.to,
        cc=envelope.cc,
        bcc=envelope.bcc,
        subject=content.subject.data,
        text=text,
        html=html,
        headers=envelope.headers(content.subject.data, checked_headers(content.headers)),
        tags=tags,
        configuration_set=request.configuration_set_name,
        size_bytes=message_bytes(text, html, content.attachments),
        has_virus=has_virus_mark(_parts(text, html, content.attachments)),
    )


def _raw_draft(request: SendEmail, content: RawContent, tags: dict[str, str]) -> Draft:
    raw = read_raw_message(content.data)
    named = request.destination
    if named is None or not (named.to_addresses or named.cc_addresses or named.bcc_addresses):
        named = Destination(ToAddresses=raw.to, CcAddresses=raw.cc, BccAddresses=raw.bcc)
    sender = raw.sender if request.from_email_address is None else request.from_email_address
    envelope = Envelope.of(sender, named)
    set_name = raw.configuration_set if request.configuration_set_name is None else request.configuration_set_name
    return Draft(
        operation="SendRawEmail",
        sender=envelope.sender,
        sender_address=envelope.sender_address,
        to=envelope.to,
        cc=envelope.cc,
        bcc=envelope.bcc,
        subject=raw.subject,
        raw=content.data.decode(errors="replace"),
        headers=raw.headers,
        # Tags of the request win over those of the header; the two are not merged.
        tags=tags or checked_tags([MessageTag(Name=name, Value=value) for name, value in raw.tags]),
        configuration_set=set_name,
        size_bytes=len(content.data),
        has_virus=has_virus_mark((content.data,)),
    )


def _template_draft(
    content: TemplateContent,
    template: Template,
    envelope: Envelope,
    *,
    operation: str,
    data: str | None,
    tags: dict[str, str],
    configuration_set: str | None,
) -> Draft:
    values = template_data(data)
    subject = text = html = error = None
    try:
        subject = rendered(template.subject, values)
        text = None if template.text is None else rendered(template.text, values)
        html = None if template.html is None else rendered(template.html, values)
    except RenderingError as rendering_error:
        # SES accepts the call all the same and publishes a Rendering Failure event.
        error = str(rendering_error)
    return Draft(
        operation=operation,
        sender=envelope.sender,
        sender_address=envelope.sender_address,
        to=envelope.to,
        cc=envelope.cc,
        bcc=envelope.bcc,
        subject=subject,
        text=text,
        html=html,
        headers=envelope.headers(subject, checked_headers(content.headers)),
        tags=tags,
        configuration_set=configuration_set,
        size_bytes=message_bytes(text, html, content.attachments),
        has_virus=has_virus_mark(_parts(text, html, content.attachments)),
        template_name=template.name,
        rendering_error=error,
    )


def _template_of(content: TemplateContent, stored: Template | None) -> Template:
    if stored is not None:
        return stored
    inline = content.template_content
    if inline is None:
        raise bad_request("Template must have TemplateName or TemplateContent.")
    return Template(
        name="", subject="" if inline.subject is None else inline.subject, text=inline.text, html=inline.html
    )


def _parts(text: str | None, html: str | None, attachments: Iterable[Attachment]) -> Iterable[bytes]:
    bodies = (body.encode() for body in (text, html) if body is not None)
    return chain(bodies, (attachment.raw_content for attachment in attachments))
