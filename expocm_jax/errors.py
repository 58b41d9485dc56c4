"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
  """A mistake of the user's, told in one line: the file, the problem, the remedy.

  `main.py` prints the message without a traceback and exits with status 2.
  """
