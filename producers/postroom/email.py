"""An email: what a producer wants sent. Valid from the moment it exists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    Strict,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from postroom.addresses import Address, InvalidAddress, parse_address
from postroom.errors import InvalidEmail, Problem
from postroom.header_rules import (
    MAX_HEADERS,
    control_character,
    header_problem,
    header_value_on_the_wire,
    tag_problem,
)
from postroom.problems import problems_of

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler

#: Recipients of one SES call, over to, cc and bcc
#: (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html).
MAX_RECIPIENTS: Final = 50

#: Reply-to addresses of one email. SES names no limit; this one keeps the header below the 998 characters of a line
#: for addresses of usual length.
MAX_REPLY_TO: Final = 10

#: Characters of a subject: what a header's line holds (RFC 5322, section 2.1.1).
MAX_SUBJECT_CHARACTERS: Final = 998

#: Bytes of UTF-8 of everything in an email together. SES takes 40 MB after base64
#: (https://docs.aws.amazon.com/ses/latest/dg/quotas.html), but a waiting email lies in Redis's memory, a third larger
#: for the base64 of its message: at this size 10,000 waiting emails take 3.5 GB, at the usual 30 kB a tenth of it.
#: Mail programs clip what is longer than about 100 kB anyway.
MAX_CONTENT_BYTES: Final = 256 * 1024


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _address(value: object) -> Address:
    if isinstance(value, Address):
        # Read again rather than trusted: an Address can be built without `parse_address`.
        value = str(value)
    if not isinstance(value, str):
        raise PydanticCustomError("address", "is not a text: write it as name@domain or Name <name@domain>")
    try:
        return parse_address(value)
    except InvalidAddress as error:
        raise PydanticCustomError("address", "{reason}", {"reason": str(error)}) from None


def _one_or_many(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, str | Address):
        return (value,)
    # Sets have no order and mappings no meaning here; generators would be used up by a second look.
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return tuple(value)
    raise PydanticCustomError("addresses", "must be one address or a list of addresses")


#: In Python an `Address`, in JSON the text of one.
AddressField = Annotated[
    Address,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_before_validator_function(
            _address,
            core_schema.is_instance_schema(Address),
            json_schema_input_schema=core_schema.str_schema(),
        ),
        lambda _schema, _handler: {"type": "string", "minLength": 3, "maxLength": 700},
    ),
    PlainSerializer(str, return_type=str),
]

#: A text that is one: pydantic would take bytes for it.
Text = Annotated[str, Strict()]

AddressesField = Annotated[tuple[AddressField, ...], BeforeValidator(_one_or_many)]


class Email(BaseModel):
    """An email to one to fifty recipients, valid from the moment it exists.

    Addresses are ``ada@example.net`` or ``Ada <ada@example.net>``; `to`, `cc`, `bcc` and `reply_to` take one or a list.
    Without `sender`, the client's ``default_sender`` is used. `headers` are further headers (``List-Unsubscribe``),
    `tags` further SES message tags. At least one of `text` and `html` is needed, and one recipient.

    The same address twice is refused rather than merged: one of the two is a mistake, and only the caller knows which.

    Raises `InvalidEmail` that names every field that is wrong, and what to do about it.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    sender: AddressField | None = None
    to: AddressesField = ()
    cc: AddressesField = ()
    bcc: AddressesField = ()
    reply_to: AddressesField = Field(default=(), max_length=MAX_REPLY_TO)
    subject: Text
    text: Text | None = None
    html: Text | None = None
    headers: Mapping[Text, Text] = Field(default_factory=dict)
    tags: Mapping[Text, Text] = Field(default_factory=dict)

    if TYPE_CHECKING:
        # What construction takes is wider than what the fields hold.
        def __init__(
            self,
            *,
            subject: str,
            sender: str | Address | None = None,
            to: str | Address | Sequence[str | Address] = (),
            cc: str | Address | Sequence[str | Address] = (),
            bcc: str | Address | Sequence[str | Address] = (),
            reply_to: str | Address | Sequence[str | Address] = (),
            text: str | None = None,
            html: str | None = None,
            headers: Mapping[str, str] = ...,
            tags: Mapping[str, str] = ...,
        ) -> None: ...

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everyone it goes to: `to`, then `cc`, then `bcc`."""
        return (*self.to, *self.cc, *self.bcc)

    @property
    def wire_headers(self) -> dict[str, str]:
        """The further headers in ASCII, as SES takes them."""
        return {name: header_value_on_the_wire(value) for name, value in self.headers.items()}

    def __repr_args__(self) -> Iterable[tuple[str, int]]:
        # What is logged by accident, or stands in a traceback with locals, says nothing personal.
        return [("recipients", len(self.recipients))]

    @field_validator("subject")
    @classmethod
    def _subject_is_one_line(cls, subject: str) -> str:
        problem = control_character(subject)
        if problem is None and len(subject) > MAX_SUBJECT_CHARACTERS:
            problem = f"is longer than {MAX_SUBJECT_CHARACTERS} characters: shorten it"
        _refuse(problem)
        return subject

    @field_validator("text", "html")
    @classmethod
    def _body_is_text(cls, body: str | None) -> str | None:
        if body is None:
            return body
        if "\0" in body:
            _refuse("holds a NUL character, which no email may: remove it")
        if not body.isascii() and _SURROGATE.search(body) is not None:
            _refuse("holds a lone surrogate, which is no text: remove it")
        return body

    @field_validator("headers")
    @classmethod
    def _headers_are_legal(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        if len(headers) > MAX_HEADERS:
            _refuse(f"has {len(headers)} headers: SES takes at most {MAX_HEADERS}")
        if len({name.lower() for name in headers}) < len(headers):
            _refuse("names a header twice in different case: keep one")
        _refuse(_first(header_problem(name, value) for name, value in headers.items()))
        return headers

    @field_validator("tags")
    @classmethod
    def _tags_are_legal(cls, tags: Mapping[str, str]) -> Mapping[str, str]:
        _refuse(_first(tag_problem(name, value) for name, value in tags.items()))
        return tags

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_in_our_words(cls, data: Any, handler: ModelWrapValidatorHandler[Email]) -> Email:
        try:
            email = handler(data)
        except ValidationError as error:
            # Without its cause: pydantic's error holds the input, and a traceback shows causes.
            raise InvalidEmail(problems_of(error), value=data) from None
        # An Email that goes into a job has been here before.
        problems = [] if email is data else list(_problems_of_the_whole(email))
        if problems:
            raise InvalidEmail(problems, value=data)
        return email


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise PydanticCustomError("illegal", "{problem}", {"problem": problem})


def _first(problems: Iterable[str | None]) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _problems_of_the_whole(email: Email) -> Iterable[Problem]:
    """Yield what no field alone can tell."""
    recipients = email.recipients
    if not recipients:
        yield "to", "there is no recipient: give at least one in to, cc or bcc"
    elif len(recipients) > MAX_RECIPIENTS:
        yield (
            "to",
            (
                f"there are {len(recipients)} recipients over to, cc and bcc: SES takes at most {MAX_RECIPIENTS}, "
                "split it into several emails"
            ),
        )
    elif len(recipients) > 1:
        yield from _repeated(email)
    if not email.text and not email.html:
        yield "text", "there is no content: give text, html or both"
    size_bytes = _content_bytes(email)
    if size_bytes > MAX_CONTENT_BYTES:
        yield (
            "html" if email.html else "text",
            (
                f"the email has {size_bytes} bytes: at most {MAX_CONTENT_BYTES} fit in the queue, "
                "link to images and long content instead of including them"
            ),
        )


def _repeated(email: Email) -> Iterable[Problem]:
    seen: dict[str, str] = {}
    for field, addresses in (("to", email.to), ("cc", email.cc), ("bcc", email.bcc)):
        for index, address in enumerate(addresses):
            place = f"{field}[{index}]"
            first = seen.setdefault(address.canonical, place)
            if first != place:
                yield place, f"is the same address as {first}: keep one of them"


def _content_bytes(email: Email) -> int:
    """Size of everything in UTF-8. Characters are counted first: encoding a long body twice is what costs."""
    texts = (
        email.subject,
        email.text,
        email.html,
        *chain.from_iterable(email.headers.items()),
        *chain.from_iterable(email.tags.items()),
    )
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts if text is not None)
