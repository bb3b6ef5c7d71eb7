"""The hashes that random secrets are stored as."""

import hashlib


def hash_secret(secret: str | bytes) -> bytes:
    """Return what is stored of a random secret, and what it is found by when it comes again.

    A plain SHA-256 is enough, because nobody can try all that such a secret could be: ours come
    from a random generator or a MAC and have 140 bits or more. A slow hash would protect them no
    better, and with a salt they could not be looked up. What a person chose, or what is short, can
    be guessed from such a hash, so no password and no code of six digits is stored like this.
    """
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()
