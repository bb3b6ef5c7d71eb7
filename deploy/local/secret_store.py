"""Generated passwords and keys: made once, never changed by a start."""

import secrets
from dataclasses import dataclass
from typing import Any

from deploy.local.home import Home, read_json, write_json

SECRET_BYTES = 32


@dataclass(frozen=True)
class SecretStore:
    """The secrets of one stack, by name, in a file that only its owner may read."""

    values: dict[str, str]

    @classmethod
    def of(cls, home: Home, names: frozenset[str]) -> "SecretStore":
        """Read the secrets and generate those that are missing; existing ones stay as they are."""
        recorded: dict[str, Any] = read_json(home.secrets) or {}
        missing = {name: secrets.token_urlsafe(SECRET_BYTES) for name in names - recorded.keys()}
        values = {**recorded, **missing}
        if missing:
            write_json(home.secrets, values)
        return cls(values)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def __repr__(self) -> str:
        return f"SecretStore({sorted(self.values)})"
