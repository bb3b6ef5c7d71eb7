class LauncherError(Exception):
    """A command cannot do its work; the message says what happened and what to do next."""
