"""Roles of the house and the permissions that they give."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, Field

from shared.schemas.api.inputs import Input, Spelling

_PERMISSION: Final = Spelling(
    r"^[a-z0-9][a-z0-9_.:*/-]{0,63}$",
    "Send 1 to 64 of a-z, 0-9, `_`, `.`, `:`, `*`, `/` and `-`, a letter or a digit first.",
)
Permission = Annotated[str, _PERMISSION]


class RolePut(Input):
    """Say what the holders of a role may do, in place of what was said before."""

    permissions: list[Permission] = Field(
        max_length=64,
        description="Names that your applications look for, such as `orders:read`; access tokens "
        "carry them as `permissions`",
    )
    description: str = Field(default="", max_length=500)


class Role(BaseModel):
    """A role."""

    name: str
    description: str
    permissions: list[str]
    is_built_in: bool = Field(description="Neither changed nor deleted")
    created_at: datetime
    updated_at: datetime
