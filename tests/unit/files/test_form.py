"""Reading a file out of a form, however its bytes are cut into chunks."""

from collections.abc import AsyncIterator

import pytest

from services.files.form import MAXIMUM_OTHER_BYTES, FormFile
from shared.chassis.errors import Problem

CONTENT = b"line\r\n--boun is not it\r\n--\r\n\r\n-"
CONTENT_TYPE = "multipart/form-data; boundary=bound"
FORM = (
    b'--bound\r\nContent-Disposition: form-data; name="note"\r\n\r\nnot a file\r\n'
    b'--bound\r\ncontent-disposition: form-data; name="file"; filename="a%22b.txt"\r\n'
    b"CONTENT-TYPE: text/plain\r\n\r\n" + CONTENT + b"\r\n"
    b'--bound\r\nContent-Disposition: form-data; name="after"\r\n\r\nx\r\n--bound--\r\n'
)


async def stream(body: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    for size in sizes:
        chunk, body = body[:size], body[size:]
        if chunk:
            yield chunk
    if body:
        yield body


async def read(body: bytes, sizes: list[int]) -> tuple[FormFile, bytes]:
    form = FormFile(CONTENT_TYPE, stream(body, sizes))
    await form.find()
    return form, b"".join([chunk async for chunk in form.chunks()])


@pytest.mark.parametrize("first", range(1, len(FORM) + 1))
@pytest.mark.parametrize("further", [1, 7, len(FORM)])
async def test_chunks_may_end_anywhere(first: int, further: int) -> None:
    form, content = await read(FORM, [first] + [further] * len(FORM))

    assert (form.name, form.content_type, content) == ('a"b.txt', "text/plain", CONTENT)


@pytest.mark.parametrize("length", range(len(FORM) - len(b"--\r\n")))
async def test_a_form_cut_off_anywhere_is_an_error(length: int) -> None:
    with pytest.raises(Problem) as raised:
        await read(FORM[:length], [])

    assert raised.value.code == "invalid_multipart"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (FORM.replace(b'name="file"', b'name="other"'), "validation_failed"),
        (FORM.replace(b'; filename="a%22b.txt"', b""), "validation_failed"),
        (FORM.replace(b'name="after"', b'name="file"; filename="b"'), "validation_failed"),
        (FORM.replace(b'form-data; name="file"', b"attachment"), "validation_failed"),
        (b"--bound\r\n" + b"x: y\r\n" * 100, "invalid_multipart"),
        (b"--bound\r\nx: " + b"y" * 10_000, "invalid_multipart"),
        (FORM.replace(b"not a file", bytes(MAXIMUM_OTHER_BYTES)), "payload_too_large"),
    ],
    ids=["other field", "no name", "two", "no form", "many headers", "long header", "other bytes"],
)
async def test_forms_that_are_refused(form: bytes, code: str) -> None:
    with pytest.raises(Problem) as raised:
        await read(form, [])

    assert raised.value.code == code


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "b" * 300]
)
def test_a_boundary_is_needed(content_type: str) -> None:
    with pytest.raises(Problem) as raised:
        FormFile(content_type, stream(b"", []))

    assert raised.value.code == "invalid_multipart"
