"""What a user's file costs to compile: one_query.cpp at -O0 with g++, without ccache and precompiled header.

Usage: /usr/bin/python3 bench/compile_bench.py [--runs 5]
Prints `figure: compile.NAME=VALUE …`; exits 1 when the median of the compiler's CPU seconds is above the target.
"""
import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    command = ["/usr/bin/g++", "-std=c++20", "-O0", f"-I{ROOT}", "-c", str(ROOT / "bench" / "one_query.cpp"), "-o",
               os.devnull]
    subprocess.run(command, check=True)  # reads the headers into the page cache
    cpu, wall = [], []
    for _ in range(runs):
        began, before = time.monotonic(), children_cpu()
        subprocess.run(command, check=True)
        wall.append(time.monotonic() - began)
        cpu.append(children_cpu() - before)
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    seconds = statistics.median(cpu)
    print(f"figure: compile.cpu_seconds={seconds:.2f} compile.cpu_seconds_max={max(cpu):.2f} "
          f"compile.wall_seconds={statistics.median(wall):.2f} compile.peak_mib={peak_mib:.0f} compile.target=<=2.5")
    sys.exit(0 if seconds <= 2.5 else 1)


if __name__ == "__main__":
    main()
