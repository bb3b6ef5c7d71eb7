"""Authorization headers that name nobody, in every shape that a client or an attacker sends."""

import base64
import json


def _token(header: str, body: str = "{}") -> bytes:
    parts = (base64.urlsafe_b64encode(text.encode()).rstrip(b"=") for text in (header, body, "x"))
    return b"Bearer " + b".".join(parts)


_AT_JWT = '{"typ":"at+jwt","alg":"ES256","kid":"k"'

MALFORMED: dict[str, list[bytes]] = {
    "empty": [b""],
    "spaces": [b"   "],
    "no token": [b"Bearer"],
    "no token after a space": [b"Bearer "],
    "two words": [b"Bearer  x y"],
    "no scheme": [b"x.y.z"],
    "no space": [b"Bearerx.y.z"],
    "a tab for the space": [b"Bearer\tx.y.z"],
    "another scheme": [b"Basic YTpi"],
    "a broken other scheme": [b"Basic \xff"],
    "not ASCII": [b"Bearer \xff\xfe"],
    "UTF-8": ["Bearer ключ".encode()],
    "a NUL": [b"Bearer a\0.b.c"],
    "NULs only": [b"\0\0"],
    "100 kB": [b"Bearer " + b"x" * 100_000],
    "100 kB of dots": [b"Bearer " + b"." * 100_000],
    "two headers": [b"Bearer x.y.z", b"Bearer u.v.w"],
    "two schemes in one": [b"Basic YTpi, Bearer x.y.z"],
    "a comma": [b"Bearer ,"],
    "three empty parts": [b"Bearer .."],
    "five parts": [b"Bearer a.b.c.d.e"],
    "padding": [b"Bearer e30=.e30=.e30="],
    "a header that is no JSON": [_token("{")],
    "a header that is a list": [_token("[]")],
    "a header that is null": [_token("null")],
    "a header that is nested deeply": [_token(_AT_JWT + ',"x":' + "[" * 2_500)],
    "a header that is nested very deeply": [_token(_AT_JWT + ',"x":' + "[" * 60_000)],
    "a header with a long number": [_token(_AT_JWT + ',"x":' + "9" * 5_000 + "}")],
    "a header of lone surrogates": [_token('{"typ":"at+jwt","alg":"ES256","kid":"\\ud800"}')],
    "a key that is a list": [_token('{"typ":"at+jwt","alg":"ES256","kid":["k"]}')],
    "a type that is a list": [_token('{"typ":["at+jwt"],"alg":"ES256","kid":"k"}')],
    "an algorithm that is an object": [_token('{"typ":"at+jwt","alg":{},"kid":"k"}')],
    "no algorithm": [_token('{"typ":"at+jwt","kid":"k"}')],
    "the algorithm none": [_token('{"typ":"at+jwt","alg":"none","kid":"k"}')],
    "a critical extension": [_token(_AT_JWT + ',"crit":["x"],"x":1}')],
    "a body without encoding": [_token(_AT_JWT + ',"b64":false,"crit":["b64"]}')],
    "a key in the header": [_token(_AT_JWT + ',"jwk":{"kty":"oct","k":"AA"}}')],
    "an API key with a NUL": [b"Bearer fh_" + b"\0" * 43],
    "an API key that is not ASCII": [b"Bearer fh_" + b"\xff" * 43],
    "an API key of 100 kB": [b"Bearer fh_" + b"k" * 100_000],
}
"""By what is wrong with them: the values of one request's headers."""


def nested_token(key_id: str) -> bytes:
    """Return a token of a key that exists, whose body no JSON reader takes."""
    header = json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": key_id})
    return _token(header, "[" * 2_000)
