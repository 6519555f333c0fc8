"""The application: every error becomes one sentence and an exit code; ``--debug`` shows the traceback."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

import typer

from pgfast.cli.output import fail
from pgfast.errors import PgfastError

INTERNAL_ERROR, INTERRUPTED = 70, 130
_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "UsageError")


class App(typer.Typer):
    """A Typer application that, when called, runs the command line it is given (by default the process's) and exits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,  # help without rich, which would take as long as all else that help needs
            context_settings={"help_option_names": ["-h", "--help"]},
            **options,
        )

    def __call__(self, args: Sequence[str] | None = None, **_: Any) -> NoReturn:
        arguments = list(sys.argv[1:] if args is None else args)
        if args is None:
            gc.set_threshold(10**6)  # what is imported stays: to look for garbage in it takes long
        code = self._run(arguments, "--debug" in arguments, "--json" in arguments)
        if args is None:
            _end(code)
        sys.exit(code)

    def _run(self, arguments: list[str], debug: bool, as_json: bool) -> int:
        try:
            return int(super().__call__(arguments, prog_name="pgfast", standalone_mode=False) or 0)
        except (KeyboardInterrupt, Exception) as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[union-attr]
                return 2
            if isinstance(error, BrokenPipeError):
                return 0  # whoever read the output has seen enough
            if debug:
                traceback.print_exc()
            message, code = _in_words(error)
            fail(message, code, as_json)
            if details := getattr(error, "details", ""):  # of what isn't ours
                print(details, file=sys.stderr)
            return code


def _end(code: int) -> NoReturn:
    """End the process as it stands: to take apart all that was imported takes long."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _in_words(error: BaseException) -> tuple[str, int]:
    """One sentence, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", INTERRUPTED
    if isinstance(error, PgfastError):
        return str(error), error.exit_code
    if isinstance(error, _UsageError):
        return _usage_in_words(error), 2
    if isinstance(error, MemoryError):
        return "There isn't enough memory for this: choose fewer runs, a smaller batch or a smaller environment.", 2
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"pgfast met an error of its own ({what}); --debug shows where.", INTERNAL_ERROR


def _usage_in_words(error: Any) -> str:
    """A wrong command line as one sentence that says where the right ones are listed."""
    command = error.ctx.command_path if error.ctx is not None else "pgfast"
    message = error.format_message().rstrip(".")
    if hasattr(error, "possibilities"):
        near = f" (did you mean {error.possibilities[0]}?)" if error.possibilities else ""
        message = f"There is no option {error.option_name}{near}"
    return f"{message}: see `{command} --help`."
