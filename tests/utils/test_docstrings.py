"""Docstrings are completed with what several of them share."""

from sknc._utils.docstrings import documented, split_sections

SHARED = """

Parameters
----------
X : array
    Features.
unused : int
    Of another function.

Raises
------
ValueError
    If it is malformed.
TypeError
    If it is no array.
"""


@documented(SHARED)
def f(X, y, z):
    """
    Return nothing.

    Parameters
    ----------
    y, z : array
        Labels.

    Raises
    ------
    ValueError
        If both are.

    Notes
    -----
    None.
    """


@documented(SHARED)
def g(X):
    """Return nothing."""


def test_shared_entries_are_filled_in():
    head, sections = split_sections(f.__doc__)
    assert head == "Return nothing."
    assert list(sections) == ["Parameters", "Raises", "Notes"]
    assert sections["Parameters"] == (
        "X : array\n    Features.\ny, z : array\n    Labels."
    )
    assert sections["Raises"] == (
        "ValueError\n    If both are.\nTypeError\n    If it is no array."
    )


def test_sections_are_made_where_there_are_none():
    _, sections = split_sections(g.__doc__)
    assert sections["Parameters"] == "X : array\n    Features."
    assert "If it is malformed." in sections["Raises"]


def test_without_docstrings_nothing_fails():
    def plain(X):
        pass

    assert "Features." in documented(SHARED)(plain).__doc__


def test_objects_share_entries_but_not_notes():
    @documented(f)
    def h(X):
        """Return nothing."""

    _, sections = split_sections(h.__doc__)
    assert list(sections) == ["Parameters", "Raises"]
    assert sections["Parameters"] == "X : array\n    Features."


def test_classes_share_attributes_that_they_have():
    class Base:
        """
        Base.

        Attributes
        ----------
        x : int
            A number.
        y : int
            Another one.
        """

    @documented(Base)
    class Part:
        """Part."""

        x: int

    assert split_sections(Part.__doc__)[1] == {"Attributes": "x : int\n    A number."}
