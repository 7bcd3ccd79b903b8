"""The two kinds of failure that end a command with one clear line instead of a traceback."""


class UserError(Exception):
    """The user's input is at fault (exit code 2). The message names the file, row, class or option and what to do."""


class Diverged(UserError):
    """A training came to numbers that are not finite; with other options it may not."""


class EnvironmentFault(Exception):
    """Store, disk or network are at fault (exit code 3). The message names what could not be reached."""
