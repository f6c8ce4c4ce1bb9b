"""occlumark train: a network from a pack of faces."""

import argparse
import os
from pathlib import Path

from occlumark.cli.options import positive_count


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "train",
        help="train a network on a pack of faces",
        description="Train a network on a pack of faces; several GPUs or machines through torchrun.",
        epilog="example: occlumark train configs/odn.toml --pack train.pack --out runs/odn",
    )
    parser.add_argument("config", type=Path, nargs="?", help="TOML file of the run; without it, all defaults")
    parser.add_argument("--pack", type=Path, required=True, help="faces, as occlumark pack writes them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint, the log and TensorBoard")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="a.b=c",
        help="override a key of the configuration; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--device", default="", help="cpu or cuda; default: cuda where there is one")
    parser.add_argument("--threads", type=positive_count, help="CPU threads to compute with; default: torch's choice")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from occlumark.config import load
    from occlumark.errors import ConfigError

    try:
        import torch

        from occlumark.train.config import LandmarkConfig
        from occlumark.train.landmarks import LandmarkTask
        from occlumark.train.loop import train
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: pip install 'occlumark[train]'") from error
    if args.threads:
        torch.set_num_threads(args.threads)
    task = LandmarkTask(load(LandmarkConfig, args.config, args.overrides), args.pack)
    checkpoint = train(task, args.out, resume=args.resume, device=args.device)
    if os.environ.get("RANK", "0") == "0":  # one of torchrun's processes speaks for all
        print(checkpoint)
    return 0
