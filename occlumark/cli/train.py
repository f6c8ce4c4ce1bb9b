"""occlumark train: the landmark network from a pack of faces, the face finder from a folder of scenes."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from occlumark.cli.options import threads

if TYPE_CHECKING:
    from occlumark.train.config import LandmarkConfig

_DESCRIPTION = """Train the landmark network on a pack of faces, or the face finder on a folder of scenes;
several GPUs or machines through torchrun. Where standard error is no terminal, a line an epoch replaces the bar."""
_EXAMPLES = """examples:
  occlumark train configs/odn.toml --pack train.pack --out runs/odn
  occlumark train configs/finder.toml --scenes scenes --out runs/finder"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "train",
        help="train the landmark network or the face finder",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, nargs="?", help="TOML file of the run; without it, all defaults")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--pack", type=Path, help="faces, as occlumark pack writes them: trains the landmark network")
    data.add_argument("--scenes", type=Path, metavar="DIR", help="photos with a boxes.csv: trains a face finder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint, the log and TensorBoard")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="a.b=c",
        help="override a key of the configuration; may be repeated",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out; optimiser.epochs may be raised"
    )
    parser.add_argument("--device", default="", help="cpu or cuda; default: cuda where there is one")
    parser.add_argument("--threads", type=threads, help="CPU threads to compute with; default: torch's choice")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from occlumark.config import load
    from occlumark.errors import ConfigError

    try:
        import torch

        from occlumark.train.config import FinderConfig
        from occlumark.train.finder_task import FinderTask
        from occlumark.train.landmark_task import LandmarkTask
        from occlumark.train.loop import train
        from occlumark.train.presence_task import PresenceTask
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: pip install '.[train]' in a clone") from error
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.scenes:
        finder = FinderTask(load(FinderConfig, args.config, args.overrides), args.scenes)
        checkpoint = train(finder, args.out, resume=args.resume, device=args.device)
    else:
        config = _landmark_config(args)
        landmarks = PresenceTask(config, args.pack) if config.train_only else LandmarkTask(config, args.pack)
        checkpoint = train(landmarks, args.out, resume=args.resume, device=args.device)
    if os.environ.get("RANK", "0") == "0":  # one of torchrun's processes speaks for all
        print(checkpoint)
    return 0


def _landmark_config(args: argparse.Namespace) -> "LandmarkConfig":
    """The configuration, with the number of the pack's landmarks where nothing is said of it."""
    from occlumark.config import load, read_toml
    from occlumark.data.pack import Pack
    from occlumark.errors import ConfigError
    from occlumark.train.config import LandmarkConfig

    config = load(LandmarkConfig, args.config, args.overrides)
    said = {override.partition("=")[0].strip() for override in args.overrides}
    said |= read_toml(args.config, "config").keys() if args.config else set()
    if said & {"n_landmarks", "markup"}:  # the latter in older configurations
        return config
    try:
        return replace(config, n_landmarks=Pack.open(args.pack).n_landmarks)
    except ValueError as error:
        raise ConfigError(f"config: {error}") from error
