"""`python -m paper`: make the paper's tables and figures; `python -m paper errors`: run a network for them."""

import argparse
import importlib
import sys
from pathlib import Path

from occlumark.errors import OcclumarkError
from paper.inputs import Inputs, MissingInputError

TARGETS = (
    "oracles",
    "table1",
    "table2",
    "best",
    "table3",
    "table4",
    "figure3",
    "figure4",
    "figure5",
    "figure6",
    "claims",
)
_ROOT = Path(__file__).parents[1]
_EXAMPLE = """\
example:
  python -m paper                                   # everything
  python -m paper table1 figure3
  python -m paper table3 figure5 --aflw AFLW --weights aflw.onnx
  python -m paper figure4 --cofw COFW
  python -m paper errors                            # run the packaged networks on 300W
  python -m paper errors --weights brnet.onnx --as ablation-brnet-seed0
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m paper",
        description="Make the paper's tables and figures; no network runs but for errors and figure6.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("targets", metavar="TARGET", nargs="*", help=f"{', '.join(TARGETS)}, or errors alone (default: all but errors)")
    add("--shared", metavar="DIR", type=Path, default=_ROOT.parent / "shared", help="the research data")
    add("--out", metavar="DIR", type=Path, default=_ROOT / "docs" / "results", help="where results go and errors/ lies")
    add("--model", metavar="NAME", help="a packaged network (errors: default all; figure6: beside odn)")
    add("--weights", metavar="FILE", type=Path, help="an ONNX file of `occlumark export`, instead")
    add("--as", metavar="NAME", dest="name", help="with errors: the table's name, as ablation-ROW-seedN")
    add("--box", choices=("official", "tight", "finder"), help="with errors: these boxes alone (default: all)")
    add("--cofw", metavar="DIR", type=Path, help="with figure4: COFW's photos; the network is run on them first")
    add("--aflw", metavar="DIR", type=Path, help="with table3, figure5: AFLW, its network in --weights")
    add("--photos", metavar="DIR", type=Path, help="with figure6: annotated photos to show, --out then names a folder")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Make the targets; 1 where a named one could not be made, or any went wrong."""
    args = build_parser().parse_args(argv)
    try:
        _check(args)
        if args.targets == ["errors"]:
            from paper.measure import write_errors

            _print(write_errors(Inputs(args.shared, args.out), args.model, args.weights, args.box, args.name))
            return 0
        if args.cofw or args.aflw:
            from paper.measure import write_aflw, write_cofw68

            inputs = Inputs(args.shared, args.out)
            if args.cofw:
                _print([write_cofw68(inputs, args.cofw, args.model, args.weights)])
            if args.aflw:
                _print([write_aflw(inputs, args.aflw, args.weights)])
    except OcclumarkError as error:
        print(f"paper: {error}", file=sys.stderr)
        return 1
    return _make(args)


def _make(args: argparse.Namespace) -> int:
    inputs, failed, skipped = Inputs(args.shared, args.out), 0, 0
    for target in args.targets or TARGETS:
        try:
            module = importlib.import_module(f"paper.{target}")
            made = module.make(inputs, args.model, args.photos) if target == "figure6" else module.make(inputs)
            _print(made)
        except MissingInputError as error:
            print(f"paper: skipped {target}: {error}; what is committed stays", file=sys.stderr)
            skipped += 1
        except OcclumarkError as error:
            print(f"paper: {target}: {error}", file=sys.stderr)
            failed += 1
    if skipped:
        print(f"paper: {skipped} of {len(args.targets or TARGETS)} targets skipped", file=sys.stderr)
    return 1 if failed or (skipped and args.targets) else 0


def _check(args: argparse.Namespace) -> None:
    unknown = [target for target in args.targets if target not in (*TARGETS, "errors")]
    if unknown:
        raise OcclumarkError(f"no target '{unknown[0]}'; there is {', '.join(TARGETS)}, and errors")
    if "errors" in args.targets and len(args.targets) > 1:
        raise OcclumarkError("errors is made alone; then make the tables and figures")
    for option, needs in (("name", {"errors"}), ("box", {"errors"}), ("cofw", {"figure4"}), ("photos", {"figure6"})):
        if getattr(args, option) and not needs & set(args.targets):
            raise OcclumarkError(f"--{'as' if option == 'name' else option} goes with {needs.pop()}")
    runs_network = {"errors", "figure6"} & set(args.targets) or args.cofw
    if args.model and not runs_network:
        raise OcclumarkError(
            "--model goes with errors, figure6, or figure4 with --cofw: no other target runs a network"
        )
    if args.weights and not ("errors" in args.targets or args.cofw or args.aflw):
        raise OcclumarkError("--weights goes with errors, --cofw or --aflw: no other target runs a file's network")
    if args.aflw and not {"table3", "figure5"} & set(args.targets):
        raise OcclumarkError("--aflw goes with table3 or figure5")
    if args.photos and args.out.resolve().is_relative_to(_ROOT):
        raise OcclumarkError("photos of data sets stay out of the repository: name a folder elsewhere, --out DIR")
    if args.model and args.weights:
        raise OcclumarkError("--model or --weights, not both")


def _print(written: list[Path]) -> None:
    for path in written:
        print(path)


if __name__ == "__main__":
    sys.exit(main())
