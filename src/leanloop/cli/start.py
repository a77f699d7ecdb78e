"""Where the command ``leanloop`` starts: it loads nothing before Ctrl-C ends it cleanly."""

import os
import sys

INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended."""
LINE = "leanloop: stopped\n"


def main() -> None:
    """Run a command; Ctrl-C is one line and exit code 130, while modules load too."""
    try:
        _load_and_run()
    except KeyboardInterrupt:
        sys.stderr.write(LINE)
        sys.exit(INTERRUPTED)


def _load_and_run() -> None:
    import signal  # noqa: PLC0415 - it loads modules itself

    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        # An exception in the middle of an import can turn into any other; nothing is open yet.
        signal.signal(signal.SIGINT, _leave)
    from leanloop.cli.app import load, run  # noqa: PLC0415 - it takes a while

    asked = load(sys.argv[1:])
    signal.signal(signal.SIGINT, usual)
    run(asked)


def _leave(*_: object) -> None:
    os.write(2, LINE.encode())
    os._exit(INTERRUPTED)
