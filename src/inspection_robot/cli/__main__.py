"""Entry point of `./robot COMMAND …` once the environment is set up."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from inspection_contract.errors import InputError
from inspection_robot.cli.commands import COMMANDS


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 bad input or usage."""
    # Read by OpenBLAS when numpy is imported: its threads wait for each other by spinning, which is ruinous on busy
    # cores (300 solutions of 128 equations: 9.7 s with two threads, 0.2 s with one, measured at a load of 18).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="./robot", description="The inspection-assist robot.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.help, description=command.help)
        if words and words[0] == name:
            module = importlib.import_module(command.module)
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        return int(status)
    except InputError as error:
        print(f"robot {words[0]}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error, and nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
