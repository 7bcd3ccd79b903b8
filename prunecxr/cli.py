"""How every command ends: done, one clear line for the user's or the environment's fault, or interrupted."""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from prunecxr.errors import EnvironmentFault, UserError

DONE, NOT_PASSED, USER_FAULT, ENVIRONMENT_FAULT = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 130, 143  # 128 and the number of the signal, as shells count

STORES = ("mlflow.", "sqlalchemy.", "requests.", "urllib3.")
ADDRESSES = ("sqlalchemy.engine.url", "urllib.parse", "urllib3.", "socket", "http.client")  # what reads addresses
PASSWORD = re.compile(r"(\w://[^\s/:@]*:)[^\s/]*(?=@)")


class Terminated(KeyboardInterrupt):
    """SIGTERM: somebody, or the batch system, wants the command to end."""


def run(command: Callable[[], None]) -> NoReturn:
    """Run a command and exit: 0 done, 2 the user's input, 3 the environment, 130 interrupted, 143 terminated.

    A command that judges something exits with 1 itself where that was not passed.
    """
    ended: list[int] = []
    atexit.register(_leave, ended)  # handlers are called in reverse: this one, before any library's, is the last
    # Importing the libraries makes a million objects that stay. By its usual thresholds the collector of garbage walks
    # over them time and again, for a fifth of a command's start.
    gc.set_threshold(50_000, 20, 50)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show ends no study
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    code = _code_of(command)
    ended.append(code)
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """Leave as after Ctrl-C, so that runs are marked; once, since that must not be interrupted in its turn."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _leave(ended: list[int]) -> None:
    """End the process: taking the libraries down object by object would take the interpreter two seconds more."""
    if ended:  # else an unforeseen error is on its way out
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended[0])


def _code_of(command: Callable[[], None]) -> int:
    """Run a command, say what went wrong in one line, and give the exit code."""
    try:
        command()
    except UserError as error:
        return _complain(str(error), USER_FAULT)
    except EnvironmentFault as error:
        return _complain(str(error), ENVIRONMENT_FAULT)
    except Terminated:
        return _complain("terminated; the same command continues", TERMINATED)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command continues", INTERRUPTED)
    except RecursionError:
        return _complain("something in the input is nested too deeply", USER_FAULT)
    except ModuleNotFoundError as error:
        return _complain(
            f"{sys.executable} lacks the package {error.name}; activate the environment that prunecxr is installed in",
            ENVIRONMENT_FAULT,
        )
    except OSError as error:
        return _complain(
            f"{error.strerror or error} ({error.filename})" if error.filename else str(error), ENVIRONMENT_FAULT
        )
    except Exception as error:
        if _is_want_of_memory(error):
            return _complain(
                "not enough memory; a smaller batch_size, eval_batch_size or image_size takes less", ENVIRONMENT_FAULT
            )
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        # Told by module name, since this file knows no MLflow.
        if any(kind.__module__.startswith(STORES) for kind in type(error).__mro__):
            return _complain(f"tracking store: {first}", ENVIRONMENT_FAULT)
        if isinstance(error, (ValueError, OverflowError)) and _origin(error).startswith(ADDRESSES):
            return _complain(f"the address of the tracking store makes no sense ({first})", ENVIRONMENT_FAULT)
        raise
    return DONE


def _is_want_of_memory(error: Exception) -> bool:
    """Python's own word for it, or torch's on a GPU or a CPU; told by name, since this file knows no torch."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


def _origin(error: Exception) -> str:
    """The name of the module that raised this."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return str(last.tb_frame.f_globals.get("__name__", "")) if last is not None else ""


def _complain(message: str, code: int) -> int:
    """Say it in one line, without the passwords that addresses may hold."""
    print("error:", PASSWORD.sub(r"\1***", " ".join(message.split())), file=sys.stderr, flush=True)
    return code
