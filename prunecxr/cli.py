"""How every command ends: done, one clear line for the user's or the environment's fault, or interrupted."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from prunecxr.errors import EnvironmentFault, UserError

DONE, USER_FAULT, ENVIRONMENT_FAULT, INTERRUPTED = 0, 2, 3, 130


def run(command: Callable[[], None]) -> NoReturn:
    """Run a command and exit: 0 done, 2 the user's input, 3 the environment, 130 interrupted."""
    ended: list[int] = []
    atexit.register(_leave, ended)  # handlers are called in reverse: this one, before any library's, is the last
    # Importing the libraries makes a million objects that stay. By its usual thresholds the collector of garbage walks
    # over them time and again, for a fifth of a command's start.
    gc.set_threshold(50_000, 20, 50)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    code = _code_of(command)
    ended.append(code)
    sys.exit(code)


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
    except KeyboardInterrupt:
        return _complain("interrupted; the same command continues", INTERRUPTED)
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
        if _is_store_failure(error):
            first = str(error).strip().splitlines()[0][:300]
            return _complain(f"tracking store: {first}", ENVIRONMENT_FAULT)
        raise
    return DONE


def _is_store_failure(error: Exception) -> bool:
    """Whether MLflow or its database raised this; told by module name, since this file knows no MLflow."""
    return any(kind.__module__.startswith(("mlflow.", "sqlalchemy.", "requests.")) for kind in type(error).__mro__)


def _complain(message: str, code: int) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr, flush=True)
    return code
