"""Checks what the state machines cost against the targets: the best of several repetitions, in CPU time.

Usage: /usr/bin/python3 bench/core_targets.py --programs DIRECTORY [--repetitions 9]

Runs the benchmarks named below alone and in mixed order. Prints `figure: core.NAME.cpu_ns=BEST
core.NAME.cpu_ns_max=WORST core.NAME.allocations=N`, and the figures of the retry amplification; exits 1 when one misses
its target, or when any repetition allocated.

The best repetition is what the code costs, the others what else the machine was doing. It says nothing about waiting:
that is measured on whole programs.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

# Name, program, benchmark, ns per call at most. Each allocates nothing.
COSTS = [
    ("pool.acquire_release_of_1", "pool_core_bench", "uncontended/connections:1", 60),
    ("pool.acquire_release_of_10", "pool_core_bench", "uncontended/connections:10", 60),
    ("pool.acquire_release_of_100", "pool_core_bench", "uncontended/connections:100", 60),
    ("pool.awaited_acquire_release", "pool_shell_bench", "uncontended", 600),
    ("breaker.default_options", "resilience_breaker_bench", "breaker_closed_cycle/default_options", 15),
    ("breaker.enterprise", "resilience_breaker_bench", "breaker_closed_cycle/enterprise", 15),
    ("breaker.all_rules", "resilience_breaker_bench", "breaker_closed_cycle/all_rules", 15),
    ("breaker.open_refusal", "resilience_breaker_bench", "breaker_open_refusal", 25),
    ("breaker.shared_open_refusal", "resilience_breaker_bench", "shared_breaker_open_refusal", 25),
    ("policy.pipeline", "resilience_pipeline_bench", "pipeline", 200),
    ("policy.pipeline_all_breaker_rules", "resilience_pipeline_bench", "pipeline_all_breaker_rules", 200),
]

# Calls that reach a failing server for each first attempt; exact, because it is simulated. The floor is what the budget
# pays in by time.
AMPLIFICATION = ("resilience_retry_bench", [
    ("amplification.failing_100.without_budget", lambda value: value == 5, "== 5"),
    ("amplification.worst_less_floor", lambda value: value <= 1.1, "<= 1.1"),
])


def run(program, *arguments):
    command = [str(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout


def repetitions_of(program, benchmarks, count):
    """What each repetition of each benchmark told, by the benchmark's name."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "result.json")
        run(program, "--benchmark_filter=^(" + "|".join(map(re.escape, benchmarks)) + ")$",
            f"--benchmark_repetitions={count}", "--benchmark_min_time=0.1",
            "--benchmark_enable_random_interleaving=true", f"--benchmark_out={out}", "--benchmark_out_format=json")
        told = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    return {name: [line for line in told if line["run_name"] == name and line["run_type"] == "iteration"]
            for name in benchmarks}


def cost_misses(programs, count):
    """Prints the figures of COSTS; yields a sentence for each miss."""
    for program in dict.fromkeys(program for _, program, _, _ in COSTS):
        rows = [row for row in COSTS if row[1] == program]
        try:
            told = repetitions_of(programs / program, [benchmark for _, _, benchmark, _ in rows], count)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            yield f"{program} gave no result: {error}"
            continue
        for name, _, benchmark, most in rows:
            runs = told[benchmark]
            if not runs or any("cpu_time" not in line or "allocations" not in line for line in runs):
                reasons = {line["error_message"] for line in runs if "error_message" in line}
                yield f"core.{name}: {program} told nothing about {benchmark} {' '.join(reasons)}".rstrip()
                continue
            costs = [line["cpu_time"] for line in runs]
            allocations = max(line["allocations"] for line in runs)
            print(f"figure: core.{name}.cpu_ns={min(costs):.4g} core.{name}.cpu_ns_max={max(costs):.4g} "
                  f"core.{name}.allocations={allocations:g}", flush=True)
            if min(costs) > most:
                yield f"core.{name} takes {min(costs):.4g} ns of CPU, target <= {most}"
            if allocations != 0:
                yield f"core.{name} allocates ({allocations:g}), target none"


def amplification_misses(programs):
    program, targets = AMPLIFICATION
    try:
        output = run(programs / program, "--benchmark_filter=budget_deposit$")
    except (OSError, subprocess.SubprocessError) as error:
        yield f"{program} gave no result: {error}"
        return
    lines = [line for line in output.splitlines() if line.startswith("figure: ")]
    print("\n".join(lines), flush=True)
    figures = dict(pair.split("=") for line in lines for pair in line.split()[1:])
    for name, holds, target in targets:
        if name not in figures:
            yield f"{program} told no {name}"
        elif not holds(float(figures[name])):
            yield f"{name}={figures[name]}, target {target}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where pool_core_bench … were built")
    parser.add_argument("--repetitions", type=int, default=9)
    arguments = parser.parse_args()
    missed = [*cost_misses(arguments.programs, arguments.repetitions), *amplification_misses(arguments.programs)]
    for line in missed:
        print(f"core_targets: MISSED: {line}", file=sys.stderr)
    targets = 2 * len(COSTS) + len(AMPLIFICATION[1])
    print(f"figure: core.targets={targets} core.missed={len(missed)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
