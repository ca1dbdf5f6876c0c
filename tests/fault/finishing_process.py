"""Finishes a draft in a child, which dies by SIGKILL at the Nth thing that it does to files below the folder.

``python -m tests.fault.finishing_process FOLDER NAME`` reads N from each line, and answers with the child's
exit code. It never touches the folder itself, so that each child begins as a new process would.
"""

import os
import signal
import sys
from pathlib import Path

from batch.snapshot_draft import SnapshotDraft
from tests.snapshots import origin

_TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def finish(folder: str, name: str, moment: int) -> None:
    """Finish; die where told, if it comes to that."""
    left = moment

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _TOUCHES and folder in str(arguments[0]):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    with SnapshotDraft(Path(folder), name) as draft:
        sys.addaudithook(watch)
        draft.finish(origin(), threads=1)


def main(folder: str, name: str) -> None:
    """Finish once for each line."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            finish(folder, name, int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
