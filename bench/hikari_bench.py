"""Leases per second of one pool under several threads, beside HikariCP (Debian's libhikaricp-java), in one sitting.

Usage: /usr/bin/python3 bench/hikari_bench.py --programs DIRECTORY --classes DIRECTORY [--seconds 1] [--pairs 5]

Each thread takes a connection that does nothing and gives it back at once, again and again. Three answer, in turns:

hikari  peers/HikariCycle.java: getConnection() and close() on a warmed-up JVM
core    pool_threads core: PoolCore behind one mutex, threads that block until their turn
shell   pool_threads shell: Pool, through co_await, the callers on other executors than the pool

There is no target for the ratio, since they do not promise the same (GUARANTEES, which is printed too): it is told.

Prints `figure: hikari.T_threads_C_connections.NAME=VALUE …`: medians of the pairs; `slowest` is what the thread that got
fewest had, as a share of the mean, at worst; `cpu_ns` is CPU time a lease, of all threads.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
JARS = [pathlib.Path("/usr/share/java", name) for name in ("HikariCP.jar", "slf4j-api.jar", "slf4j-nop.jar")]
CASES = [(1, 8), (2, 8), (4, 8), (8, 8), (16, 16), (8, 2)]  # threads, connections

GUARANTEES = """\
HikariCP: a thread finds the connection it gave back in a list of its own and takes it again by one compare-and-set, so
  who comes may overtake who waits; a time-out for the whole pool bounds the wait; leaks are looked for on demand.
Belay: strictly first come first served, whatever that costs in changes of thread; each wait has its own deadline, and
  who would wait too long for it is refused on entry; one state machine under a lock knows who holds what since when
  (leak watch, lanes, diagnosis); the shell hands over to coroutines without blocking a thread.
Both lend without a look what was used within the last 500 ms.
So HikariCP takes and returns faster, by far where threads outnumber connections, and where they run at once on several
cores and meet at the lock; the picture of fairness shows what overtaking does to those who wait."""


class Answerer:
    """A program that is given cases on its standard input."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, threads, connections, seconds):
        """Leases per second, ns of CPU a lease, the slowest thread's share of the mean."""
        before = self.cpu_seconds()
        self.process.stdin.write(f"{threads} {connections} {round(seconds * 1000)}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 3:
            sys.exit(f"hikari_bench: no answer to {threads} threads, {connections} connections: {self.process.args}")
        cycles, took, slowest = int(answer[0]), float(answer[1]), float(answer[2])
        return cycles / took, (self.cpu_seconds() - before) * 1e9 / cycles, slowest

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def compile_peer(classes):
    missing = [str(jar) for jar in JARS if not jar.exists()]
    if missing:
        sys.exit(f"hikari_bench: not installed: {', '.join(missing)}; scripts/setup bench does")
    classes.mkdir(parents=True, exist_ok=True)
    path = ":".join(map(str, JARS))
    subprocess.run(["javac", "-Xlint:all", "-d", str(classes), "-cp", path,
                    *map(str, sorted((HERE / "peers").glob("*.java")))], check=True)
    return ["java", "-cp", f"{classes}:{path}", "HikariCycle"]


def versions():
    query = ["dpkg-query", "-W", "-f", "${Version}", "libhikaricp-java"]
    hikari = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    java = subprocess.run(["java", "-version"], check=True, capture_output=True, text=True).stderr.split('"')[1]
    return hikari, java


def compare(answerers, threads, connections, seconds, pairs):
    told = {name: [] for name in answerers}
    for answerer in answerers.values():
        answerer.ask(threads, connections, min(seconds, 0.3))
    order = list(answerers)
    for _ in range(pairs):
        for name in order:
            told[name].append(answerers[name].ask(threads, connections, seconds))
        order.append(order.pop(0))  # nobody always comes after the same one
    case = f"hikari.{threads}_threads_{connections}_connections"
    for name, answers in told.items():
        rates, costs, slowest = zip(*answers)
        line = (f"figure: {case}.{name}_per_second={statistics.median(rates):.4g} "
                f"{case}.{name}_cpu_ns={statistics.median(costs):.4g} {case}.{name}_slowest={min(slowest):.3f}")
        if name != "hikari":
            ratios = [rate / peers for rate, (peers, _, _) in zip(rates, told["hikari"])]
            line += (f" {case}.{name}_over_hikari={statistics.median(ratios):.3g} "
                     f"{case}.{name}_over_hikari_min={min(ratios):.3g} {case}.{name}_over_hikari_max={max(ratios):.3g}")
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where pool_threads was built")
    parser.add_argument("--classes", type=pathlib.Path, required=True, help="where to compile the peer into")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()

    java = compile_peer(arguments.classes)
    print(GUARANTEES)
    hikari_version, java_version = versions()
    print(f"figure: hikari.version={hikari_version} hikari.java={java_version} hikari.cores={os.cpu_count()} "
          f"hikari.pairs={arguments.pairs}")
    answerers = {"hikari": Answerer(java), "core": Answerer([arguments.programs / "pool_threads", "core"]),
                 "shell": Answerer([arguments.programs / "pool_threads", "shell"])}
    for threads in (1, 8, 8):  # until HotSpot has compiled what matters
        answerers["hikari"].ask(threads, 8, 2 * arguments.seconds)
    for threads, connections in CASES:
        compare(answerers, threads, connections, arguments.seconds, arguments.pairs)
    for answerer in answerers.values():
        answerer.close()


if __name__ == "__main__":
    main()
