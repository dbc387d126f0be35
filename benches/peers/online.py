#!/usr/bin/env python3
"""Learning online: burnrec and Vowpal Wabbit in turn, on one machine, in one run: a Markdown table of medians.

    python online.py [--burnrec PATH] [--rows 1000000] [--rounds 3]

LR under FTRL over the 26 ids and 13 numbers of burnrec's generated clicks, micro-batches of 256. Both learn from the same later
80% of the rows: burnrec from its own Arrow file (`replay`) and from lines of JSON (`online`), Vowpal Wabbit from its own text, by
its own driver (`-d FILE`, no Python in the loop). Needs `pip install vowpalwabbit==9.11.* pyarrow`.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

import pyarrow.parquet as pq

IDS = [f"C{n}" for n in range(1, 27)]
NUMBERS = [f"I{n}" for n in range(1, 14)]


def config(rows, schedule):
    fields = "\n".join([f'{c} = "categorical"' for c in IDS] + [f'{n} = {{ kind = "numeric", transform = "log1p" }}' for n in NUMBERS])
    text = f'[data]\nsource = "log.parquet"\n[features]\nindex = "growing"\n[features.fields]\n{fields}\n[tasks.click]\nlabel = "label"\n'
    text += '[model.lr]\noptimizer = { kind = "ftrl", learning_rate = 0.05, l1 = 1.0 }\n[train]\nepochs = 1\n'
    if schedule:
        return text + '[schedule]\ntime = "timestamp"\nwindow = "1d"\nstart = 0.2\n[schedule.online]\nrows = 256\n'
    return text.replace("log.parquet", "first.jsonl")


def vw_line(row):
    label = 1 if row["label"] else -1
    ids = " ".join(f"{c}={row[c]}" for c in IDS if row.get(c) is not None)
    numbers = " ".join(f"{n}:{math.log1p(max(row[n], 0)):.5f}" for n in NUMBERS if row.get(n) is not None)
    return f"{label} |c {ids} |n {numbers}\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--burnrec", default="target/release/burnrec")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    burnrec = os.path.abspath(args.burnrec)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run = lambda *a: subprocess.run([burnrec, *a], check=True, capture_output=True, text=True).stdout
        run("data", "generate", "criteo", "--out", "log.parquet", "--rows", str(args.rows))
        first = args.rows // 5
        number = 0
        with open("first.jsonl", "w") as one, open("rest.jsonl", "w") as two, open("vw.txt", "w") as vw:
            for batch in pq.ParquetFile("log.parquet").iter_batches():
                for row in batch.to_pylist():
                    row = {key: value for key, value in row.items() if value is not None}
                    (one if number < first else two).write(json.dumps(row) + "\n")
                    if number >= first:
                        vw.write(vw_line(row))
                    number += 1
        open("replay.toml", "w").write(config(args.rows, True))
        open("first.toml", "w").write(config(args.rows, False))
        run("train", "first.toml", "--out", "first")
        rest = args.rows - first
        found = {"burnrec replay, Arrow": [], "burnrec online, JSON": [], "vowpal wabbit, its text": []}
        for number in range(args.rounds):
            run("replay", "replay.toml", "--only", "online", "--out", f"replay{number}")
            way = json.load(open(f"replay{number}/summary.json"))["replay"]["online"]
            found["burnrec replay, Arrow"].append(way["rows"] / way["seconds"])
            start = time.time()
            run("online", "first", "--rows", "256", "--input", "rest.jsonl", "--out", f"online{number}")
            found["burnrec online, JSON"].append(rest / (time.time() - start))
            code = (
                "import vowpalwabbit as v; w = v.Workspace('-d vw.txt -b 20 --loss_function logistic --ftrl "
                "--ftrl_alpha 0.05 --ftrl_beta 1.0 --l1 1e-6 --quiet'); w.finish()"
            )
            start = time.time()
            subprocess.run([sys.executable, "-c", "import vowpalwabbit"], check=True)
            imported = time.time() - start
            start = time.time()
            subprocess.run([sys.executable, "-c", code], check=True)
            found["vowpal wabbit, its text"].append(rest / (time.time() - start - imported))
        base = statistics.median(found["vowpal wabbit, its text"])
        print("| | rows/s, median | least to most | × Vowpal Wabbit |\n|---|---|---|---|")
        for name, rates in found.items():
            median = statistics.median(rates)
            print(f"| {name} | {median:,.0f} | {min(rates):,.0f} to {max(rates):,.0f} | {median / base:.2f} |")


if __name__ == "__main__":
    main()
