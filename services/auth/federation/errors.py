"""What can be wrong with a provider. The texts are for operators and name no person."""


class ProviderUnavailable(Exception):  # noqa: N818 - says what it is
    """A provider could not be reached, or answered what no provider in order answers."""


class UntrustedAnswer(Exception):  # noqa: N818 - a verdict on what came back
    """What came back does not prove who somebody is."""
