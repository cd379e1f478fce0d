"""Benchmarks of casefile over HTTP, each a ratio of paired runs in one sitting.

Usage: /usr/bin/python3 bench/casefile_bench.py --casefile PATH --count-syncs PATH [--seconds 4] [--pairs 5]

(a) GET by id (HTTP + ORM + SQLite) against the same server answering a constant: requests per second.
(b) durable POSTs by 64 clients against one client: acknowledged per second, and syncs per acknowledgement.
(d) CPU per GET against FastAPI + uvicorn (uvloop, httptools) + sqlite3 from Debian's packages: with SQLite off the event
    loop, as casefile has it (the target), and on it (for comparison).

Load comes from wrk on the same machine, one thread, keep-alive; CPU is the server process's own, from /proc.
Prints `figure: BENCH.NAME=VALUE …` lines; exits 1 when a target is missed.
"""
import argparse
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


class Server:
    """A server process that answers GET /health/live on a port of 127.0.0.1."""

    def __init__(self, command, port, environment=None):
        self.port = port
        self.process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(self.url("/health/live"), timeout=1).read()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"the server ended at once: {command}")
                time.sleep(0.05)
        sys.exit(f"the server does not answer: {command}")

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def load(server, path, connections, seconds, script=None):
    """Runs wrk; returns (requests per second, requests, CPU seconds of the server)."""
    before = server.cpu_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-s", script] if script else []), server.url(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu = server.cpu_seconds() - before
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"errors under load on {path}:\n{output}")
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), requests, cpu


def figures(bench, **values):
    print("figure: " + " ".join(f"{bench}.{name}={value:.6g}" if isinstance(value, float) else f"{bench}.{name}={value}"
                                for name, value in values.items()), flush=True)


def create(server):
    body = json.dumps({"nom_dossier": "Vente Dupont", "user_id": "user:bench", "summary": "un appartement"}).encode()
    request = urllib.request.Request(server.url("/api/dossiers"), body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=10))["id"]


def get_against_constant(server, dossier_id, seconds, pairs):
    ratios, rates = [], []
    for _ in range(pairs):
        constant, _, _ = load(server, "/health/live", 64, seconds)
        by_id, _, _ = load(server, f"/api/dossiers/{dossier_id}", 64, seconds)
        ratios.append(by_id / constant)
        rates.append((by_id, constant))
    ratio = statistics.median(ratios)
    figures("get_vs_constant", ratio=ratio, ratio_min=min(ratios), ratio_max=max(ratios),
           get_per_second=statistics.median(r[0] for r in rates),
           constant_per_second=statistics.median(r[1] for r in rates), pairs=pairs, target=">=0.5")
    return ratio >= 0.5


def posts_by_many(casefile, count_syncs, seconds, pairs):
    with tempfile.TemporaryDirectory() as folder:
        counter = pathlib.Path(folder, "syncs")
        port = free_port()
        server = Server([casefile, "--database", f"sqlite:{folder}/bench.db", "--listen", f"127.0.0.1:{port}",
                         "--access-log", "off"], port, {"LD_PRELOAD": count_syncs, "COUNT_SYNCS_TO": str(counter)})
        script = str(HERE / "post_dossier.lua")
        ratios, syncs_per_post, singles, manies = [], [], [], []
        for _ in range(pairs):
            single, _, _ = load(server, "/api/dossiers", 1, seconds, script)
            before = struct.unpack("l", counter.read_bytes())[0]
            many, acknowledged, _ = load(server, "/api/dossiers", 64, seconds, script)
            syncs_per_post.append((struct.unpack("l", counter.read_bytes())[0] - before) / acknowledged)
            ratios.append(many / single)
            singles.append(single)
            manies.append(many)
        server.stop()
    ratio, syncs = statistics.median(ratios), statistics.median(syncs_per_post)
    figures("durable_posts_64_vs_1", ratio=ratio, ratio_min=min(ratios), ratio_max=max(ratios),
           syncs_per_post=syncs, syncs_per_post_max=max(syncs_per_post), one_client_per_second=statistics.median(singles),
           clients_64_per_second=statistics.median(manies), pairs=pairs, target="ratio>=3,syncs_per_post<=0.125")
    return ratio >= 3 and syncs <= 0.125


def cpu_against_fastapi(server, dossier_id, database, seconds, pairs, mode):
    port = free_port()
    peer = Server(["/usr/bin/python3", str(HERE / "peers" / "fastapi_sqlite.py"), database, str(port), mode], port)
    ratios, ours_us, peers_us = [], [], []
    for _ in range(pairs):
        _, requests, cpu = load(server, f"/api/dossiers/{dossier_id}", 64, seconds)
        _, peer_requests, peer_cpu = load(peer, f"/api/dossiers/{dossier_id}", 64, seconds)
        ours, theirs = cpu / requests * 1e6, peer_cpu / peer_requests * 1e6
        ratios.append(theirs / ours)
        ours_us.append(ours)
        peers_us.append(theirs)
    peer.stop()
    ratio = statistics.median(ratios)
    figures(f"cpu_per_get_vs_fastapi_{mode}", ratio=ratio, ratio_min=min(ratios), ratio_max=max(ratios),
            casefile_cpu_us=statistics.median(ours_us), fastapi_cpu_us=statistics.median(peers_us), pairs=pairs)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--casefile", required=True)
    parser.add_argument("--count-syncs", required=True)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        database = f"{folder}/bench.db"
        port = free_port()
        server = Server([arguments.casefile, "--database", f"sqlite:{database}", "--listen", f"127.0.0.1:{port}",
                         "--access-log", "off"], port)
        dossier_id = [create(server) for _ in range(1000)][500]
        passed = [get_against_constant(server, dossier_id, arguments.seconds, arguments.pairs),
                  cpu_against_fastapi(server, dossier_id, database, arguments.seconds, arguments.pairs,
                                      "threadpool") >= 15]
        # Told as well, without a target: a peer that gives up what casefile and the other one give.
        cpu_against_fastapi(server, dossier_id, database, arguments.seconds, arguments.pairs, "blocking")
        server.stop()
    passed.append(posts_by_many(arguments.casefile, arguments.count_syncs, arguments.seconds, arguments.pairs))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
