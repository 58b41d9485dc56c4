"""A library's message inside one of ours."""

from expocm_jax.errors import UserError, first_line


def test_only_the_first_line_and_no_more_than_fits():
  assert first_line(ValueError("bad\nworse")) == "bad"
  assert len(first_line(ValueError("x" * 1000))) == 200


def test_an_error_without_a_message_has_its_name():
  assert first_line(KeyError()) == "KeyError"
  assert first_line(UserError("a.jpg: damaged")) == "a.jpg: damaged"
