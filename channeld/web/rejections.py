"""What the HTTP edge itself refuses: a channel's name that is taken by a route, and bodies it cannot take whole."""

from __future__ import annotations

from dataclasses import dataclass

from channeld.errors import Rejected
from channeld.formats.rejections import shown
from channeld.pages.links import without_token


@dataclass(eq=False)
class ReservedChannelName(Rejected):
    """The first part of a URL already means something else (``channeld.web.urls``)."""

    channel: str

    def sentence(self) -> str:
        return f"The channel name {self.channel!r} is reserved: URLs that begin with it belong to the server."

    advice = "Choose another name."


class BadBody(Rejected):
    """The body of a request cannot be taken as what it claims to be."""


@dataclass(eq=False)
class BodyTooLarge(BadBody):
    """More bytes than the limit, announced or sent. ``limit`` is in bytes."""

    limit: int

    def sentence(self) -> str:
        return f"The body of the request is larger than {self.limit} bytes."

    advice = "Ask the operator of the server to raise the limit if a file has to be this large."


@dataclass(eq=False)
class BodyCutShort(BadBody):
    """The connection ended before the body did. ``expected`` is None where no length was announced (chunked)."""

    received: int
    expected: int | None

    def sentence(self) -> str:
        if self.expected is None:
            return f"The body of the request broke off after {self.received} bytes, without its last chunk."
        return f"The body of the request broke off after {self.received} of {self.expected} bytes."

    advice = "Send the request again."


@dataclass(eq=False)
class BodyStalled(BadBody):
    """The client stays connected and sends nothing. ``seconds`` is how long it was waited for."""

    received: int
    seconds: float

    def sentence(self) -> str:
        return f"After {self.received} bytes of the body nothing came for {self.seconds:g} seconds."

    advice = "Send the request again."


@dataclass(eq=False)
class BodyEncoded(BadBody):
    """A ``Content-Encoding``, or a ``Transfer-Encoding`` beyond ``chunked``: the hash would be of other bytes."""

    coding: str

    def sentence(self) -> str:
        return f"The body of the request is sent with the encoding {self.coding!r}."

    advice = "Send the file as it is: packages are compressed already, and their hash is taken of the bytes as sent."


@dataclass(eq=False)
class NothingHere(Rejected):
    """No channel, document or file has this URL. Whether it is malformed or merely unknown makes no difference."""

    path: str

    def __post_init__(self) -> None:
        self.path = shown(without_token(self.path))

    def sentence(self) -> str:
        return f"There is nothing at {self.path}."

    advice = "Check the channel, the label and the file name."


@dataclass(eq=False)
class MethodNotKnown(Rejected):
    """The URL exists, the method does not apply to it."""

    method: str
    path: str

    def __post_init__(self) -> None:
        self.path = shown(without_token(self.path))

    def sentence(self) -> str:
        return f"The URL {self.path} does not answer {self.method}."

    advice = "See /api/v1/openapi.json for what it answers."


@dataclass(eq=False)
class BadRequest(Rejected):
    """A parameter or a body is not what the route takes."""

    problem: str

    def sentence(self) -> str:
        return f"The request is not understood: {self.problem}."

    advice = "See /api/v1/openapi.json for what the server takes."


class BadField(Rejected):
    """A field of a JSON body, or a parameter of a query string, is not what the route takes."""


@dataclass(eq=False)
class FieldUnknown(BadField):
    """Fields that the route does not know: whoever sent them expects something of them that would not happen."""

    fields: tuple[str, ...]
    known: tuple[str, ...]

    def sentence(self) -> str:
        known = f"known are {', '.join(self.known)}" if self.known else "none is taken"
        return f"There is no field or parameter {', '.join(self.fields)} here; {known}."

    advice = "Correct the spelling, or leave it out."


@dataclass(eq=False)
class FieldAbsent(BadField):
    fields: tuple[str, ...]

    def sentence(self) -> str:
        return f"The request lacks {', '.join(self.fields)}."

    advice = "See /api/v1/openapi.json for what the route takes."


@dataclass(eq=False)
class FieldWrong(BadField):
    """``must`` completes the sentence "It must be …"; ``found`` is JSON."""

    field: str
    found: str
    must: str

    def sentence(self) -> str:
        return f"{self.field} must be {self.must}, not {self.found}."

    advice = "See /api/v1/openapi.json for what the route takes."


@dataclass(eq=False)
class BodyNotJson(BadBody):
    problem: str

    def sentence(self) -> str:
        return f"The body of the request is not a JSON object: {self.problem}."

    advice = "Send one JSON object, in UTF-8."


@dataclass(eq=False)
class CandidateOfAnother(Rejected):
    """The candidate was uploaded with another token."""

    channel: str
    subdir: str
    filename: str
    sha256: str

    advice = (
        "It keeps nothing out that is uploaded under its name, and goes by itself; "
        "for deleting it now the token needs the right 'configure' on the channel."
    )

    def sentence(self) -> str:
        return (
            f"The candidate {self.subdir}/{self.filename} of the channel {self.channel!r} "
            f"with the sha256 {self.sha256} was uploaded with another token."
        )
