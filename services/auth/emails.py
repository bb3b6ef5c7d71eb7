"""E-mail addresses: one spelling for each, and none that mail could not reach."""

import re
import unicodedata

import idna

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

_LOCAL_CHARACTERS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_MAX_LOCAL_PART = 64
_MAX_ADDRESS = 254


class InvalidEmailError(ValueError):
    """The text is not an address that mail can be sent to; the message says why."""


def normalise_email(text: str) -> str:
    """Return the one spelling under which an address is stored and looked up.

    Compatibility characters are folded first (NFKC), so that two spellings that look alike
    cannot become two accounts; then the case; an international domain becomes its ASCII form.

    Raises:
        InvalidEmailError: it is not an address, or needs SMTPUTF8 on the way.

    """
    folded = unicodedata.normalize("NFKC", text).strip().lower()
    local_part, at, domain = folded.rpartition("@")
    if not at:
        raise InvalidEmailError("An e-mail address looks like name@example.com.")
    _require_local_part(local_part)
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode().lower()
    except idna.IDNAError as error:
        raise InvalidEmailError("The part after the @ is not a domain name.") from error
    if ascii_domain.endswith(".") or ("." not in ascii_domain and ascii_domain != "localhost"):
        raise InvalidEmailError("The part after the @ is not a full domain name.")
    address = f"{local_part}@{ascii_domain}"
    if len(address) > _MAX_ADDRESS:
        raise InvalidEmailError(f"An e-mail address has at most {_MAX_ADDRESS} characters.")
    return address


def _require_local_part(text: str) -> None:
    if not text:
        raise InvalidEmailError("There is nothing before the @.")
    if len(text) > _MAX_LOCAL_PART:
        raise InvalidEmailError(f"The part before the @ has at most {_MAX_LOCAL_PART} characters.")
    if not _LOCAL_CHARACTERS.fullmatch(text):
        raise InvalidEmailError("The part before the @ has characters that mail cannot carry.")
    if "" in text.split("."):
        raise InvalidEmailError(
            "The part before the @ neither begins nor ends with a dot, and has no two in a row."
        )


def require_email(text: str) -> str:
    """Return the normalised address of a request's `email` field, or raise a 422 problem."""
    try:
        return normalise_email(text)
    except InvalidEmailError as error:
        raise Problem(
            ProblemCode.VALIDATION_FAILED,
            errors=[FieldError(field="email", message=str(error))],
        ) from error
