"""nginx's configuration language: quoting and blocks."""

from collections.abc import Iterable


def quote(text: str) -> str:
    """Return `text` as one quoted argument in which nginx still expands `$variables`.

    Raises ValueError for control characters, which no argument of ours may hold.
    """
    if not text.isprintable():
        raise ValueError(f"cannot be written into nginx's configuration: {text!r}")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Return `text` as one quoted argument that means exactly itself.

    Raises ValueError where nginx has no way to say it: it cannot escape a dollar sign.
    """
    if "$" in text:
        raise ValueError(f"nginx cannot take a dollar sign literally: {text!r}")
    return quote(text)


def block(header: str, lines: Iterable[str]) -> list[str]:
    """Return `header { … }` as lines, the inner ones indented."""
    return [f"{header} {{", *(f"    {line}" if line else "" for line in lines), "}"]


def mapping(source: str, target: str, cases: Iterable[tuple[str, str]]) -> list[str]:
    """Return a `map` block: `target` by the value of `source`; both sides are quoted here.

    A case named `default` is nginx's default; keys starting with `~` are regular expressions.
    """
    return block(
        f"map {source} {target}",
        [f"{key if key == 'default' else quote(key)} {quote(value)};" for key, value in cases],
    )
