"""Reads one file out of a multipart/form-data body while it streams."""

from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

FIELD: Final = "file"
MAXIMUM_OTHER_BYTES: Final = 1024 * 1024
"""Bytes of a form besides its file: boundaries, headers and fields that are not read."""
MAXIMUM_PART_HEADERS: Final = 16
MAXIMUM_PART_HEADER_BYTES: Final = 8 * 1024

# HTML: the three characters that browsers escape in a file name.
_ESCAPES: Final = {"%22": '"', "%0D": "\r", "%0A": "\n"}


class FormFile:
    """The file of a form. `chunks` goes on where finding its headers stopped."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise _invalid("The Content-Type names no boundary.")
        self.name = ""
        self.content_type = ""
        self._body = body
        self._found = False
        self._inside = False
        self._ended = False
        self._pieces: list[bytes] = []
        self._other_bytes = 0
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._header_ended,
                    "on_headers_finished": self._headers_ended,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_ended,
                    "on_end": self._form_ended,
                },
                max_header_count=MAXIMUM_PART_HEADERS,
                max_header_size=MAXIMUM_PART_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _invalid("The boundary is too long.") from error

    async def find(self) -> None:
        """Read up to the file's headers; `name` and `content_type` are set then.

        Raises Problem `invalid_multipart`, or `validation_failed` if the form has no such file.
        """
        async for chunk in self._body:
            self._feed(chunk)
            if self._found:
                return
        self._check_ended()
        raise _missing()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes; the whole form has been read and was sound when this ends.

        Raises Problem `invalid_multipart` when it was not, also after the file's last byte.
        """
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                yield piece
            chunk = await anext(self._body, None)
            if chunk is None:
                break
            self._feed(chunk)
        self._check_ended()

    def _feed(self, chunk: bytes) -> None:
        self._other_bytes += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _invalid(f"The form is broken: {error}.") from error
        if self._other_bytes > MAXIMUM_OTHER_BYTES:
            raise Problem(
                ProblemCode.PAYLOAD_TOO_LARGE,
                f"Besides its file the form may have {MAXIMUM_OTHER_BYTES} bytes at most.",
            )

    def _check_ended(self) -> None:
        if not self._ended:
            raise _invalid("The body ends before the form's closing boundary.")

    def _header_ended(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers_ended(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        kind, options = parse_options_header(disposition)
        if kind != b"form-data" or options.get(b"name") != FIELD.encode():
            return
        if b"filename" not in options:
            raise _missing()
        if self._found:
            raise Problem(
                ProblemCode.VALIDATION_FAILED,
                errors=[FieldError(field=FIELD, message="Send one file in each request.")],
            )
        self._found = self._inside = True
        self.name = _unescape(options[b"filename"].decode(errors="replace"))
        self.content_type = self._headers.get(b"content-type", b"").decode("latin-1")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._other_bytes -= end - start
            self._pieces.append(data[start:end])

    def _part_ended(self) -> None:
        self._inside = False

    def _form_ended(self) -> None:
        self._ended = True


def _unescape(name: str) -> str:
    for escape, character in _ESCAPES.items():
        name = name.replace(escape, character)
    return name


def _invalid(detail: str) -> Problem:
    return Problem(ProblemCode.INVALID_MULTIPART, detail)


def _missing() -> Problem:
    message = "Send the file in a form field of this name, with a file name."
    return Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=FIELD, message=message)])
