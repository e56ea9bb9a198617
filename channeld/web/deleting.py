"""Deleting a file on somebody's behalf: what the token needs for it, whatever the dialect.

It needs the right ``delete`` on each label that the file carries. A candidate of a staging channel it must have
uploaded itself, or have the right ``configure`` on the channel: names are nobody's there, so the right on a name does
not make a candidate one's own. Tokens that many share are one uploader; what such a deletion takes from another is
sight, and not the promotion (see ``catalog.candidates``).
"""

from __future__ import annotations

from sqlalchemy import Connection

from channeld.catalog import files, selection
from channeld.catalog.candidates import is_staging
from channeld.catalog.channels import Channel
from channeld.catalog.grants import Verb, allows
from channeld.catalog.selection import StoredFile
from channeld.catalog.tokens import Token
from channeld.web.native.route import Call
from channeld.web.rejections import CandidateOfAnother


def is_own(token: Token, channel: Channel, file: StoredFile) -> bool:
    """Tell whether a file is a token's to delete, as far as that does not follow from its labels."""
    if not is_staging(channel) or file.uploaded_by == token.id:
        return True
    return allows(token.grants, Verb.CONFIGURE, channel.name)


def delete(connection: Connection, call: Call, channel: Channel, file: StoredFile) -> None:
    """Delete a file of a locked channel.

    Raises:
        NotAllowed, CandidateOfAnother, LabelLocked: as they say.
    """
    carried = selection.label_names_of(connection, file.id)
    call.services.auth.require(call.token, Verb.DELETE, channel.name, carried or (None,), file.name)
    if not is_own(call.token, channel, file):
        raise CandidateOfAnother(channel.name, file.subdir, file.filename, file.sha256)
    files.delete(connection, channel.name, file.subdir, file.filename, call.actor, sha256=file.sha256)
