"""occlumark export: a checkpoint as the ONNX file that detection runs."""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "export",
        help="turn a checkpoint into the ONNX file that detection runs",
        description="Write a checkpoint's averaged weights as one ONNX file.",
        epilog="example: occlumark export runs/odn/checkpoint.safetensors --out odn.onnx",
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint.safetensors of a run")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--pack", metavar="FILE", type=Path, help="the run's pack, to calibrate the expected error on")
    parser.add_argument("--fp32", action="store_true", help="keep all 32 bits of the weights (twice the size)")
    parser.add_argument(
        "--int8", action="store_true", help="most convolutions in 8 bits: faster, a little less accurate (with --pack)"
    )
    parser.add_argument(
        "--into",
        metavar="MODEL",
        help="of a run that trained one part alone (train_only): exchange that part in the exported file or packaged "
        "network that it started from, and leave all else",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from occlumark.errors import ConfigError

    if args.int8 and args.pack is None:
        args.usage_error("--int8 takes the ranges of training crops: it goes with --pack FILE")
    if args.int8 and args.fp32:
        args.usage_error("--int8 and --fp32 exclude each other")
    if args.into and (args.int8 or args.fp32 or args.pack):
        args.usage_error("--into takes the file as it is: it goes without --pack, --fp32 and --int8")
    try:
        from occlumark.export.landmarks import export
        from occlumark.export.part import export_part
    except ModuleNotFoundError as error:
        raise ConfigError(f"export needs {error.name}: pip install '.[train]' in a clone") from error
    if args.into:
        export_part(args.checkpoint, args.into, args.out)
        print(args.out)
        return 0
    export(args.checkpoint, args.out, fp16=not args.fp32, pack_path=args.pack, int8=args.int8)
    print(args.out)
    return 0
