"""What a signed token says of its own signature, before anybody has verified it."""

from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import extract_compact


def unverified_header(token: str) -> dict[str, Any]:
    """Return the header of a signed token.

    Raises ValueError for what cannot be read, for a header that is no object, and for one that
    names extensions (`crit`), of which none is known here.
    """
    try:
        header: Any = extract_compact(token.encode()).headers()
    except (JoseError, RecursionError) as error:
        raise ValueError("the token cannot be read") from error
    if isinstance(header, dict) and "crit" not in header:
        return header
    raise ValueError("the token's header is no object, or asks for extensions")
