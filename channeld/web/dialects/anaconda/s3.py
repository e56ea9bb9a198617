"""Errors as S3 writes them: what the clients expect where the bytes of an upload go.

anaconda-client parses the body of everything but a 201 as XML, and breaks on anything else. Of the codes it knows
``InvalidDigest`` alone, for which it tells its user that a checksum is wrong.
"""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape

from aiohttp import hdrs, web

from channeld.cachepolicy import NO_STORE
from channeld.catalog.rejections import FileConflict, LabelLocked
from channeld.errors import ChanneldError, Rejected, Unavailable
from channeld.formats.archive.rejections import PackageTooLarge
from channeld.intake.rejections import ChecksumMalformed, ChecksumMismatch, UploadUnknown
from channeld.logs import current_request_id
from channeld.web.rejections import BadRequest, BodyCutShort, BodyStalled, BodyTooLarge

#: The class of an error, or the nearest of its bases, decides the code.
_CODES: Final[dict[type[ChanneldError], str]] = {
    Rejected: "InvalidRequest",
    Unavailable: "ServiceUnavailable",
    ChecksumMalformed: "InvalidDigest",
    ChecksumMismatch: "InvalidDigest",
    UploadUnknown: "NoSuchUpload",
    FileConflict: "Conflict",
    LabelLocked: "Conflict",
    PackageTooLarge: "EntityTooLarge",
    BodyTooLarge: "EntityTooLarge",
    BodyCutShort: "IncompleteBody",
    BodyStalled: "RequestTimeout",
    BadRequest: "MalformedPOSTRequest",
}
#: What no XML document may have, not even escaped (XML 1.0, section 2.2).
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_xml(error: ChanneldError, status: int) -> web.Response:
    """Render an error."""
    code = next(code for base in type(error).__mro__ if (code := _CODES.get(base)) is not None)
    fields = {"Code": code, "Message": str(error), "RequestId": current_request_id()}
    inner = "".join(f"<{name}>{escape(_FORBIDDEN.sub('?', text))}</{name}>" for name, text in fields.items())
    return web.Response(
        status=status,
        text=f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>',
        content_type="application/xml",
        headers={hdrs.CACHE_CONTROL: NO_STORE},
    )
