#!/usr/bin/env python3
"""burnrec and PyTorch peers in turn, on one machine, in one run: a Markdown table of medians and ratios.

    python side_by_side.py [--burnrec PATH] [--rows 1e6,1e7] [--rounds 3] [--workload deepfm|wide_deep|deep_crossing|din|mmoe]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = {"deepfm": "W1", "wide_deep": "W1b", "deep_crossing": "W4", "mlp": "W0", "din": "W2",
             "mmoe": "W3"}
PEERS = [
    ("fuxictr", "default"),
    ("torch-rechub", "default"),
    ("deepctr-torch", "default"),
    ("torch-expert", "default"),
    ("torch-expert", "onednn"),
    ("torch-expert-compile", "default"),
    ("torch-expert-compile", "onednn"),
]

# Histories without their padding: the strongest PyTorch there is for din.
PACKED = [("torch-expert-packed", "default"), ("torch-expert-packed", "onednn"), ("torch-expert-packed-compile", "default")]


def ours(args, rows):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [args.burnrec, "bench", "--workload", args.workload, "--rows", rows, "--steps", str(args.steps),
                   "--device", "flex", "--json", out.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report = json.load(open(out.name))
    result = report["results"][0]
    return result["median_step_ms"], result["times_matrix_products"]


def peer(args, name, gemm, rows):
    command = [os.environ.get("PEERS_PYTHON", sys.executable), os.path.join(HERE, "peerbench.py"), "--peer", name,
               "--gemm", gemm, "--workload", WORKLOADS[args.workload]]
    if args.workload != "din":
        command += ["--rows", rows]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return None, run.stderr.strip().splitlines()[-1:] or ["no output"]
    found = json.loads(lines[-1])
    return found.get("median_step_ms"), found.get("lacks", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burnrec", default="target/release/burnrec")
    parser.add_argument("--workload", default="deepfm", choices=WORKLOADS)
    parser.add_argument("--rows", default="1e6")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    for rows in args.rows.split(","):
        times = {("burnrec", ""): []}
        products = []
        lacks = {}
        for _ in range(args.rounds):
            for name, gemm in PEERS + (PACKED if args.workload == "din" else []):
                if (name, gemm) in lacks:
                    continue
                # burnrec before every peer: the two share the machine's mood.
                step, ratio = ours(args, rows)
                times[("burnrec", "")].append(step)
                products.append(ratio)
                found, why = peer(args, name, gemm, rows)
                if found is None:
                    lacks[(name, gemm)] = why
                else:
                    times.setdefault((name, gemm), []).append(found)
        base = statistics.median(times[("burnrec", "")])
        print(f"\n{args.workload}, {rows} rows, median of {args.rounds} runs each; burnrec is at "
              f"{statistics.median(products):.2f} x its matrix products ({min(products):.2f} to {max(products):.2f})\n")
        print("| | products | ms a step | x burnrec |\n|---|---|---|---|")
        for (name, gemm), found in times.items():
            median = statistics.median(found)
            print(f"| {name} | {gemm} | {median:.1f} ({min(found):.1f} to {max(found):.1f}) | {median / base:.2f} |")
        for (name, gemm), why in lacks.items():
            print(f"| {name} | {gemm} | not run: {why} | |")


if __name__ == "__main__":
    main()
