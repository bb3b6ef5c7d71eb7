"""What request bodies have in common."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199


class Input(BaseModel):
    """A request body; unknown fields are named back to the client, not ignored."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Spelling:
    """A pattern that a whole text has to match, and what is told to who sends another."""

    pattern: str
    sentence: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Have pydantic look at the text once its length is right."""
        return AfterValidator(self._matching).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        """Tell the pattern to who reads the API's description."""
        return {**handler(schema), "pattern": self.pattern}

    def _matching(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.sentence)
        return text


PRINTABLE: Final = Spelling(r"^[!-~]+$", "Send visible ASCII characters, and no spaces.")
KEEPABLE: Final = Spelling(r"^[^\x00]*$", "Leave out the character NUL.")


def _sensible(instant: datetime) -> datetime:
    # Further away an instant does not survive the conversion between time zones.
    if not FIRST_YEAR < instant.year < LAST_YEAR:
        raise ValueError(f"Send an instant between the years {FIRST_YEAR} and {LAST_YEAR}.")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_sensible)]
