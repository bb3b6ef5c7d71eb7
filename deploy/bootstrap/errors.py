class BootstrapError(Exception):
    """The launcher cannot go on; the message says what happened and what to do next."""
