"""Accounts of programs."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from shared.schemas.api.inputs import Input


class ServiceAccountCreate(Input):
    """Make an account for a program."""

    name: str = Field(min_length=1, max_length=100, description="No other service account's")
    description: str = Field(default="", max_length=500)


class ServiceAccount(BaseModel):
    """An account of a program, which has nothing but API keys."""

    id: UUID = Field(description="What the tokens of its keys name as the user")
    name: str
    description: str
    created_by: UUID
    created_at: datetime
    disabled_at: datetime | None
