"""What intake refuses, beyond what the formats and the catalog refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from channeld.errors import Rejected


@dataclass(eq=False)
class ChecksumMismatch(Rejected):
    """The client said what the bytes would hash to, and they do not."""

    algorithm: str
    asserted: str
    actual: str
    size: int

    advice: ClassVar[str] = "The file changed on its way or on disk: compute the hash again and upload again."

    def sentence(self) -> str:
        return (
            f"The {self.size} bytes received have the {self.algorithm} {self.actual}, "
            f"not the asserted {self.asserted}."
        )


@dataclass(eq=False)
class ChecksumMalformed(Rejected):
    """An asserted hash is not a hash."""

    algorithm: str
    asserted: str

    advice: ClassVar[str] = "Give it as lowercase hexadecimal digits, or leave it out."

    def sentence(self) -> str:
        return f"{self.asserted!r} is not a {self.algorithm}."


@dataclass(eq=False)
class SubdirContradicted(Rejected):
    """The upload names another subdir than the package's own metadata."""

    filename: str
    claimed: str
    actual: str

    advice: ClassVar[str] = "Upload it to the subdir that its info/index.json names."

    def sentence(self) -> str:
        return f"{self.filename} was uploaded to {self.claimed}, but its info/index.json says {self.actual}."


@dataclass(eq=False)
class EmptyUpload(Rejected):
    """There are no bytes."""

    filename: str

    advice: ClassVar[str] = "Send the package file as the body of the request."

    def sentence(self) -> str:
        return f"The upload of {self.filename} has no content."


@dataclass(eq=False)
class UploadUnknown(Rejected):
    """An upload that goes on in another request was not announced, is over, or was announced too long ago."""

    upload: str

    advice: ClassVar[str] = "Begin the upload again."

    def sentence(self) -> str:
        return f"There is no upload {self.upload!r} under way."
