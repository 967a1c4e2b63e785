"""`./robot score DIR`: what a simulated run found, compared with the truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from inspection_robot.cli.inputs import for_each, print_json
from inspection_sim.pictures import run_map, save
from inspection_sim.scoring import score_run, table


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("folders", nargs="+", metavar="DIR", help="output folder of a simulated run")
    parser.add_argument("--map", type=Path, metavar="FILE.png", help="draw the run's map; of the last run when several")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")


def run(arguments: argparse.Namespace) -> int:
    """Score every run; 2 when one could not be scored."""

    def process(name: str) -> None:
        result = score_run(Path(name))
        if arguments.map is not None:
            save(run_map(Path(name)), arguments.map)
        if arguments.json:
            print_json({"run": name, **result.as_dict(), "table": table(result)})
        else:
            print(table(result))

    return for_each("score", arguments.folders, process)
