"""The paper's tables and figures, each made again by one module: `make paper`, or `python -m paper table1`.

Not in the installed package. Inputs are the per-photo errors in docs/results/errors/, published predictions and
numbers; no network runs, but for `python -m paper errors`, which writes the per-photo errors, and for Figure 6.
"""
