"""What request bodies have in common."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199


class Input(BaseModel):
    """A request body; unknown fields are named back to the client, not ignored."""

    model_config = ConfigDict(extra="forbid")


def _sensible(instant: datetime) -> datetime:
    # Further away an instant does not survive the conversion between time zones.
    if not FIRST_YEAR < instant.year < LAST_YEAR:
        raise ValueError(f"give an instant between the years {FIRST_YEAR} and {LAST_YEAR}")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_sensible)]
