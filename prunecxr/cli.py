"""How every command ends: done, one clear line for the user's or the environment's fault, or interrupted."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from prunecxr.errors import EnvironmentFault, UserError

DONE, USER_FAULT, ENVIRONMENT_FAULT, INTERRUPTED = 0, 2, 3, 130


def run(command: Callable[[], None]) -> NoReturn:
    """Run a command and exit: 0 done, 2 the user's input, 3 the environment, 130 interrupted."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        command()
    except UserError as error:
        _complain(str(error), USER_FAULT)
    except EnvironmentFault as error:
        _complain(str(error), ENVIRONMENT_FAULT)
    except KeyboardInterrupt:
        _complain("interrupted; the same command continues", INTERRUPTED)
    except ModuleNotFoundError as error:
        _complain(
            f"{sys.executable} lacks the package {error.name}; activate the environment that prunecxr is installed in",
            ENVIRONMENT_FAULT,
        )
    except OSError as error:
        _complain(f"{error.strerror or error} ({error.filename})" if error.filename else str(error), ENVIRONMENT_FAULT)
    except Exception as error:
        if _is_store_failure(error):
            _complain(f"tracking store: {str(error).strip().splitlines()[0][:300]}", ENVIRONMENT_FAULT)
        raise
    sys.exit(DONE)


def _is_store_failure(error: Exception) -> bool:
    """Whether MLflow or its database raised this; told by module name, since this file knows no MLflow."""
    return any(kind.__module__.startswith(("mlflow.", "sqlalchemy.", "requests.")) for kind in type(error).__mro__)


def _complain(message: str, code: int) -> NoReturn:
    print("error:", " ".join(message.split()), file=sys.stderr, flush=True)
    sys.exit(code)
