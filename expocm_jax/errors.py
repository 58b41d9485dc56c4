"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
  """A mistake of the user's, told in one line: the file, the problem, the remedy.

  `main.py` prints the message without a traceback and exits with status 2.
  """


def first_line(error: Exception) -> str:
  """The first line of a library's message, short enough to stand inside one of ours."""
  return (str(error) or type(error).__name__).splitlines()[0][:200]
