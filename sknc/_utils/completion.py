"""Updates in several steps that an interruption does not leave half done."""

from collections.abc import Callable
from typing import Any


class Completed:
    """
    Base of objects whose updates consist of several steps.

    An interrupted update is completed before the interruption is passed on. If that is
    interrupted too, after some of its steps, the object can no longer be read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_complete = True

    def _complete(self, update: Callable[[], None], steps: Callable[[], Any]) -> None:
        """
        Run an update, which skips the steps already done if it runs again.

        The result of `steps` differs after each step.
        """
        self._check_complete()
        before = steps()
        try:
            self._is_complete = False
            update()
            self._is_complete = True
        except BaseException:
            try:
                update()
                self._is_complete = True
            except BaseException:
                self._is_complete = steps() == before
                raise
            raise

    def _check_complete(self) -> None:
        if not self._is_complete:
            msg = (
                "The sums are incomplete because adding a batch was interrupted "
                "twice. Fit again, or continue from an earlier copy."
            )
            raise RuntimeError(msg)
