"""One child process as its parent sees it: started, spoken with, watched, killed.

A child is a fresh interpreter that runs `BOOT`. Neither a fork (unsafe beside threads: those of BLAS are enough) nor
multiprocessing's spawn (which imports the parent's script again, and so runs a script without a main guard twice).
It leads a session of its own: a Ctrl-C in the terminal reaches the parent alone, and killing the child's group kills
what the objective has started too. It writes to the parent's stdout and stderr and has nothing to read on stdin.

How a child's death is noticed does not depend on its end of the connection, which processes that the objective forked
may hold open: `Child.death` becomes readable when the process itself ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from multiprocessing import connection as mpc
from multiprocessing.spawn import get_executable
from typing import Any

from hpspace.run.executors.base import Job
from hpspace.run.executors.wire import dumps, loads

#: What the interpreter of a child runs; the greeting comes first, since nothing can be imported before it.
BOOT = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]  # the working directory must not hide the standard library
from multiprocessing import connection
kind = "PipeConnection" if sys.platform == "win32" else "Connection"
parent = getattr(connection, kind)(int(sys.argv[1]))
greeting = parent.recv()
sys.path[:], sys.argv[:] = greeting["path"], greeting["argv"]
from hpspace.run.executors.child import main
main(parent, greeting)
"""

#: Environment variables that say how many threads a numerical library starts.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)

#: Seconds that a child which was let go has to run its exit functions.
GRACE = 5.0

_POSIX = os.name == "posix"


class Child:
    """A process that evaluates jobs one after the other.

    Parameters
    ----------
    blob : bytes
        The pickled domain.
    greeting : dict
        What else `child.main` is to know.
    env : mapping
        Environment variables on top of this process's.
    cwd : str or None
        The child's working directory; None is this process's.

    Attributes
    ----------
    connection : Connection
        Readable when the child has said something.
    death : object
        For `multiprocessing.connection.wait`: ready when the process has ended.
    ready : bool
        Whether it has loaded the domain.
    leaving : bool
        Whether it takes no more jobs and is about to end.
    job : Job or None
        What it evaluates.
    deadline : float
        When that, or leaving, has taken too long, by `time.monotonic`; infinite if never.
    """

    def __init__(
        self, blob: bytes, greeting: dict[str, Any], env: Mapping[str, str], cwd: str | None
    ) -> None:
        self.connection, theirs = mpc.Pipe()
        try:
            self.process = _interpreter(theirs.fileno(), env, cwd)
        finally:
            theirs.close()
        self.death = _death_of(self.process)
        self.ready = self.leaving = False
        self.job: Job | None = None
        self.deadline = float("inf")
        # In a thread, since a large domain is only taken off the pipe when the child has finished importing.
        hello = dumps({**greeting, **_introduction()})
        self._greeter = threading.Thread(target=self._greet, args=(hello, blob), daemon=True)
        self._greeter.start()

    def _greet(self, hello: bytes, blob: bytes) -> None:
        with contextlib.suppress(OSError):  # it died; that is noticed elsewhere
            self.connection.send_bytes(hello)
            self.connection.send_bytes(blob)

    @property
    def idle(self) -> bool:
        """Whether it waits for a job."""
        return self.ready and self.job is None and not self.leaving

    def give(self, job: Job) -> None:
        """Let it evaluate a job; it must be idle."""
        self.job = job
        if job.timeout is not None:
            self.deadline = time.monotonic() + job.timeout
        self.send(dumps(job))

    def take_job(self) -> Job | None:
        """Return the job that is over now, None if there was none."""
        job, self.job, self.deadline = self.job, None, float("inf")
        return job

    def leave(self) -> None:
        """Note that it ends by itself now; it has `GRACE` seconds for that."""
        self.leaving = True
        self.deadline = time.monotonic() + GRACE

    def send(self, data: bytes) -> None:
        """Send bytes; to a dead child nothing is sent."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: the connection is closed here
            self.connection.send_bytes(data)

    def receive(self) -> tuple[str, tuple[Any, ...], bytes] | None:
        """Return the message that is there, None at the end of the connection."""
        try:
            message: tuple[str, tuple[Any, ...], bytes] = loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return None
        return message

    def rest(self) -> Iterator[tuple[str, tuple[Any, ...], bytes]]:
        """Yield the messages of a child that has ended."""
        with contextlib.suppress(OSError):
            while self.connection.poll(0) and (message := self.receive()) is not None:
                yield message

    def kill(self) -> int:
        """Stop the process and what it has started, at once.

        Returns
        -------
        int
            The exit code; of a process that had ended by itself, its own.
        """
        if _POSIX:
            # The leader is not reaped yet, so its number cannot be another group's.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        return self._reap()

    def release(self) -> None:
        """Tell it to end by itself, after its current job."""
        self._greeter.join()
        self.connection.close()

    def join(self, seconds: float | None) -> int:
        """Wait until it has ended by itself, and kill it when that takes longer than `seconds`; as `kill`."""
        mpc.wait([self.death], seconds)
        return self.kill()

    def _reap(self) -> int:
        code = self.process.wait()
        self._greeter.join()  # it cannot write to a dead process, so it ends
        self.connection.close()
        self.death.close()
        return code


def _interpreter(handle: int, env: Mapping[str, str], cwd: str | None) -> subprocess.Popen[bytes]:
    """Start a fresh interpreter that inherits one end of a connection."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    options: dict[str, Any] = {"start_new_session": True, "pass_fds": (handle,)}
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        options = {"close_fds": False}
    return subprocess.Popen(  # noqa: S603 - our own program, in this very interpreter
        [get_executable(), *flags, "-c", BOOT, str(handle)],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
        cwd=cwd,
        **options,
    )


def _introduction() -> dict[str, Any]:
    """Return what a child has to know of this process."""
    # The kernel's signal comes when the *thread* that started the child ends, so only the main thread may rely on it.
    tied = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
    path = [entry for entry in sys.path if isinstance(entry, str)]
    return {"path": path, "argv": list(sys.argv), "parent": os.getpid(), "tied": tied}


# -------------------------------------------------------------------- how a death is noticed, and told


def cause_of(exitcode: int) -> str:
    """Say in words how a process ended.

    Parameters
    ----------
    exitcode : int
        Negative is the number of a signal.

    Returns
    -------
    str
        A clause that names the signal.

    Examples
    --------
    >>> cause_of(-11)
    'its process was killed by SIGSEGV (a fault in compiled code)'
    >>> cause_of(3)
    'its process ended by itself with exit code 3, as by os._exit(3)'
    """
    if exitcode >= 0:
        return f"its process ended by itself with exit code {exitcode}, as by os._exit({exitcode})"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hint = _HINTS.get(name)
    return f"its process was killed by {name}" + (f" ({hint})" if hint else "")


_HINTS = {
    "SIGKILL": "as by kill -9, or by the system when memory ran out",
    "SIGSEGV": "a fault in compiled code",
    "SIGBUS": "a fault in compiled code, or a full disk behind shared memory",
    "SIGILL": "compiled code for another CPU",
    "SIGFPE": "a fault in compiled code",
    "SIGABRT": "compiled code gave up, as a failed assertion or std::terminate does",
    "SIGTERM": "somebody asked it to end",
}


class _ProcessDescriptor:
    """A file descriptor of the kernel that becomes readable when a process ends (Linux)."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    def fileno(self) -> int:
        """Return the descriptor, for `multiprocessing.connection.wait`."""
        return self._fd

    def close(self) -> None:
        """Give the descriptor back; may be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _death_of(process: subprocess.Popen[bytes]) -> Any:
    """Return something to wait for that is ready when a process has ended."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # an old kernel, or a sandbox
            return _ProcessDescriptor(process.pid)
    return _watched(process)


def _watched(process: subprocess.Popen[bytes]) -> Any:
    """Do the same with a thread that waits, and a pipe that it closes."""
    ends, starts = mpc.Pipe(duplex=False)
    threading.Thread(target=_close_after, args=(process, starts), daemon=True).start()
    return ends


def _close_after(process: subprocess.Popen[bytes], pipe: Any) -> None:
    try:
        if hasattr(os, "waitid"):  # leaves the number of the process taken until its group is killed
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
    except ChildProcessError:  # it was reaped already
        pass
    finally:
        pipe.close()
