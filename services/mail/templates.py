"""Renders our own templates: a subject, a text and an HTML part each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jinja2

FOLDER: Final = Path(__file__).with_name("templates")
_MAXIMUM_NAME: Final = 60
_LINK_LIKE: Final = re.compile(r"[/:@<>\\|=\x00-\x1f\x7f\u2028\u2029]|\.\S")


class TemplateError(Exception):
    """There is no such template, or the variables do not fit it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a template makes of its variables."""

    subject: str
    text: str
    html: str


class TemplateSet:
    """The templates in files: `<name>.subject.txt`, `<name>.txt` and `<name>.html`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=jinja2.select_autoescape(["html"], default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["salutation"] = salutation
        self._environment.filters["only_a_name"] = only_a_name

    def render(self, name: str, variables: Mapping[str, object]) -> Rendered:
        """Render a template's three files. Raises TemplateError.

        Values are escaped in the HTML part. The text part has no mark-up to escape from.
        """
        try:
            subject, text, html = (
                self._environment.get_template(f"{name}.{part}").render(variables)
                for part in ("subject.txt", "txt", "html")
            )
        except jinja2.TemplateNotFound as error:
            raise TemplateError(f"there is no template {name}") from error
        except jinja2.UndefinedError as error:
            raise TemplateError(f"the template {name} lacks a value: {error.message}") from error
        return Rendered(subject.strip(), text, html)


def salutation(name: str | None) -> str:
    """Return `Hello Ada,`, or `Hello,` without a name that can be trusted to be only a name.

    Anybody can sign up with somebody else's address, and mail programs turn whatever looks like
    an address into a link: a name is no place to carry an advertisement to a stranger.
    """
    words = only_a_name(name, "")
    return f"Hello {words}," if words else "Hello,"


def only_a_name(name: str | None, otherwise: str) -> str:
    """Return a name that somebody chose, or other words if it could be more than a name."""
    words = " ".join((name or "").split())
    if not words or len(words) > _MAXIMUM_NAME or _LINK_LIKE.search(words):
        return otherwise
    return words
