"""Runs the user's own Python: whatever goes wrong in it becomes an error message with the user's file and line."""

import contextlib
import sys
import traceback
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import halide as hl

from hltune.values.errors import HltuneError, InputError


@contextlib.contextmanager
def user_code(file: Path) -> Generator[None]:
    """Around everything that runs code of this file, as a program without arguments; its directory is importable."""
    arguments, sys.argv = sys.argv, [str(file)]
    # At the end: a json.py beside the user's file must not stand in for the real one.
    sys.path.append(str(file.parent))
    try:
        yield
    except HltuneError:
        raise
    except SyntaxError as error:
        raise InputError(f"SyntaxError: {error.msg}", where=f"{error.filename}:{error.lineno}") from error
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        text = str(error).strip()
        name = type(error).__name__
        raise InputError(f"{name}: {text}" if text else name, where=_user_line(error, file)) from error
    finally:
        sys.argv = arguments
        with contextlib.suppress(ValueError):  # the user's code may have changed it
            sys.path.remove(str(file.parent))


@contextlib.contextmanager
def kept_buffers() -> Generator[None]:
    """Keeps every buffer that is made meanwhile: a Func that reads one does not keep its array alive."""
    kept: list[hl.Buffer] = []
    make = hl.Buffer.__init__

    def make_and_keep(self: hl.Buffer, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        kept.append(self)

    hl.Buffer.__init__ = make_and_keep
    try:
        yield
    finally:
        hl.Buffer.__init__ = make


def execute_file(file: Path) -> ModuleType:
    """The module that a file defines; always from its present text, never from a cache.

    A call of Halide's ``main`` does nothing: files end with it that are programs, too.
    """
    module = ModuleType(f"user_{file.stem}")
    module.__file__ = str(file)
    # Dataclasses and annotations look their module up by its name.
    sys.modules[module.__name__] = module
    main = hl.main
    hl.main = lambda: None
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    finally:
        hl.main = main
    return module


def _user_line(error: BaseException, file: Path) -> str:
    """The innermost line of the user's own code that the error passed through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename, file)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(file)


def _is_users(filename: str, file: Path) -> bool:
    path = Path(filename)
    return path == file or (path.is_relative_to(file.parent) and "site-packages" not in path.parts)
