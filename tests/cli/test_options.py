import argparse

from occlumark.cli.options import OF_DETECTOR, OF_FINDER, add_network_options

#: Files, which commands hand over in their own way, and the old word for one option.
ELSEWHERE = {"weights", "finder", "passes"}


def test_no_option_of_the_networks_is_dropped() -> None:
    """`detect` and `bulk` hand on what these names say: an option that is in none of them would do nothing."""
    parser = argparse.ArgumentParser()
    add_network_options(parser)
    assert set(vars(parser.parse_args([]))) == {*OF_DETECTOR, *OF_FINDER, *ELSEWHERE}
