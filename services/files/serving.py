"""Headers under which a stored file is safe in a browser, whatever its owner put into it."""

from typing import Final
from urllib.parse import quote

from services.files.content_types import is_inline

SECURITY_POLICY: Final = "default-src 'none'; sandbox"
CACHE_CONTROL: Final = "private, max-age=0, must-revalidate"

# RFC 8187 attr-char: what stands for itself in an extended parameter.
_UNESCAPED: Final = "!#$&+-.^_`|~"


def content_disposition(name: str, media_type: str) -> str:
    """Return the Content-Disposition (RFC 6266): inline where that is safe, else attachment.

    A name beyond plain ASCII is given twice: a stand-in for old clients, and in full.
    """
    disposition = "inline" if is_inline(media_type) else "attachment"
    fallback = "".join(_plain(character) for character in name)
    header = f'{disposition}; filename="{fallback}"'
    if fallback != name:
        header += f"; filename*=UTF-8''{quote(name, safe=_UNESCAPED)}"
    return header


def object_headers(address: str, name: str, media_type: str) -> dict[str, str]:
    """Return the answer by which nginx fetches an object and sends it on.

    `address` is path and query of a presigned GET. The X-Freehold-* headers become the headers of
    those names only if the object can be had; on the problem that replaces it they would mislead.
    """
    return {
        "X-Accel-Redirect": "/_object/",
        "X-Freehold-Object": address,
        "X-Freehold-Cache-Control": CACHE_CONTROL,
        "X-Freehold-Content-Disposition": content_disposition(name, media_type),
        "Content-Security-Policy": SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Content-Type": media_type,
    }


def _plain(character: str) -> str:
    # Browsers decode `%` and treat `\` and `"` in ways of their own, so these get a stand-in too.
    return character if " " <= character <= "~" and character not in '"\\%' else "_"
