"""What M's sub-gradient costs and what the refresh every k steps loses against the exact one.

    python benchmarks/nuclear_norm.py [--pack train.pack] [--steps 100] [--batch 32]

Times are those of this machine. The errors are taken along real training steps of the whole network: on the faces of
a pack, or else on noise. Before each step M is decomposed, and the U V^T in use (taken up to k - 1 steps ago) is
compared with M's own.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from training_step import Training, batch_of, open_pack

from occlumark.model.network import NetworkConfig


def main() -> None:
    """Train some steps and print the costs and, for each age of U V^T, its errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", default="", help="train on the faces of this pack; default: noise")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    args = parser.parse_args()
    rng, pack = np.random.default_rng(0), open_pack(args.pack)
    training = Training(NetworkConfig(), args.precision)
    every, beta = training.objective.refresh_every, training.objective.beta
    step_s, svd_s = [], []
    errors: dict[int, list[tuple[float, float, float]]] = {}
    for step in range(args.steps):
        crops, landmarks = batch_of(args.batch, rng, pack)
        used = training.polar
        began = time.perf_counter()
        exact = training.decompose()
        svd_s.append(time.perf_counter() - began)
        if step % every:
            training.polar = used
        difference = torch.linalg.norm(training.polar - exact.polar)
        bound = float((training.polar * training.network.M.detach()).sum())
        began = time.perf_counter()
        training.step(crops, landmarks)
        step_s.append(time.perf_counter() - began)
        errors.setdefault(step % every, []).append(
            (
                float(difference / torch.linalg.norm(exact.polar)),
                1 - bound / exact.nuclear_norm,
                float(beta * difference / torch.linalg.norm(training.network.M.grad)),
            )
        )
    each, svd = statistics.median(step_s), statistics.median(svd_s)
    print(f"training step, batch {args.batch}, {args.precision}: {each * 1e3:.0f} ms; SVD of M: {svd * 1e3:.0f} ms")
    print(f"at every step: {svd / each:.1%} of the step; every {every} steps: {svd / each / every:.2%}")
    print(f"effective rank of M after {args.steps} steps: {training.decompose().effective_rank:.1f}")
    print(
        "age, steps | U V^T, relative error | ||M||_* too low by | error of the term's gradient over M's whole gradient"
    )
    for age in sorted(errors):
        relative, gap, share = np.mean(errors[age], axis=0)
        print(f"{age:10d} | {relative:21.2e} | {gap:17.1e} | {share:.1e}")


if __name__ == "__main__":
    main()
