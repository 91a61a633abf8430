"""The one exception that carries a message meant for the person at the terminal."""


class SerEdgeError(Exception):
    """Something the user can mend: the message says what is wrong with what, and what to do.

    Command-line programs print it as one line on standard error and exit with status 1.
    """
