"""Draws the documentation's pictures from what bench/pictures/*.cpp print, and checks their figures.

Usage: /usr/bin/python3 bench/pictures.py --programs DIRECTORY [--into docs/pictures]

Each program simulates one situation in virtual time on the real state machines, with the naive policy beside it, and
says in its first lines how it is to be read. It prints points, `series,x,y`, and `figure: NAME=VALUE` lines, which are
passed on. The same sources give the same pictures to the byte. Exits 1 when a figure misses its target.
"""
import argparse
import collections
import operator
import pathlib
import subprocess
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS, NAIVE, IDEAL, LIMIT = "#1b6ca8", "#c8442b", "#555555", "#2e7d32"

TARGETS = [
    ("fairness.hold_5ms.p99_over_ideal", "<=", 1.05),
    ("fairness.hold_200ms.p99_over_ideal", "<=", 1.05),
    ("overload.at_2x.belay_goodput", ">=", 0.95),
    ("overload.at_2x.long_holds.belay_goodput", ">=", 0.95),
    ("overload.at_2x.even_holds.belay_goodput", ">=", 0.95),
    ("storm.40x25.refusing.belay.connected_share", "==", 1),
    ("storm.40x25.queueing.belay.connected_share", "==", 1),
    ("storm.40x25.refusing.belay.attempts_over_capacity", "<=", 1.2),
    ("storm.40x25.refusing.belay.steady_attempts_over_capacity", "<=", 1.2),
    ("storm.40x25.refusing.belay.recovery_over_ideal", "<=", 1.3),
    ("storm.40x25.queueing.belay.attempts_over_capacity", "<=", 1.2),
    ("storm.40x25.queueing.belay.steady_attempts_over_capacity", "<=", 1.2),
    ("storm.40x25.queueing.belay.recovery_over_ideal", "<=", 1.3),
    # One probe was sent into the void, and not two at a time; the breaker closed all the same.
    ("hung_probe.belay.probes_hung", "==", 1),
    ("hung_probe.belay.probes_at_once_max", "==", 1),
    ("hung_probe.belay.full_traffic_after_seconds", ">=", 0),
    ("hung_probe.belay.stuck_of_1000", "==", 0),
    ("hung_probe.belay.late_verdicts_counted", "==", 0),
]
COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}

STYLE = {
    "svg.hashsalt": "belay",  # else the ids in the file are random
    "svg.fonttype": "path",  # looks the same wherever it is shown
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
}


def run(program):
    """The points of each series, and the figures."""
    output = subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=120).stdout
    series, figures = collections.defaultdict(lambda: ([], [])), {}
    for line in output.splitlines():
        if line.startswith("figure: "):
            print(line)
            name, value = line.removeprefix("figure: ").split("=")
            figures[name] = float(value)
        else:
            name, x, y = line.split(",")
            series[name][0].append(float(x))
            series[name][1].append(float(y))
    return series, figures


def draw_fairness(series, figures):
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
    figure.suptitle("100 callers share 10 connections: who waits how long?")
    for panel, hold in zip(panels, ("5", "200")):
        name = f"hold_{hold}ms"
        # On the logarithmic axis no wait at all is drawn at its left end.
        left = float(hold) / 1000 / 20
        for key, colour, style, label in (("barging", NAIVE, "-", "naive: who gives back takes again (90 %)"),
                                          ("belay", OURS, "-", "belay: in order of arrival"),
                                          ("ideal", IDEAL, ":", "ideal queue, no cost at all")):
            waits, longer = series[f"{key}/{name}"]
            panel.plot([max(wait, left) for wait in waits], longer, style, color=colour, label=label)
        panel.axhline(0.01, color="#aaaaaa", linewidth=0.8)
        panel.text(left * 1.1, 0.0108, "p99", color="#777777", fontsize=9)
        panel.set(xscale="log", yscale="log", xlim=(left, None), ylim=(2e-5, 1.3), xlabel="wait for a connection [s]",
                  title=f"held for {hold} ms ±50 %: p99 {figures[f'fairness.{name}.belay_p99_seconds']:.2g} s "
                        f"against {figures[f'fairness.{name}.barging_p99_seconds']:.2g} s")
    panels[0].set_ylabel("share of acquires that waited longer")
    panels[0].legend(loc="lower left", fontsize=9, frameon=True, framealpha=1, edgecolor="white")
    return figure


def draw_overload(series, figures):
    figure, panel = plt.subplots(figsize=(8, 4.6))
    loads, naive = series["timeouts"]
    ours = series["belay"][1]
    panel.plot(loads, [100 * min(1, load) for load in loads], ":", color=IDEAL, label="ideal")
    panel.plot(loads, [100 * share for share in ours], "o-", color=OURS, markersize=4,
               label="belay: refuses at once what would come too late")
    panel.plot(loads, [100 * share for share in naive], "s-", color=NAIVE, markersize=4,
               label="naive: queues all, drops who has expired")
    for where, at in (("at_2x", 2), ("at_10x", 10)):
        ours_at, naive_at = (100 * figures[f"overload.{where}.{who}_goodput"] for who in ("belay", "timeouts"))
        panel.annotate(f"{ours_at:.1f} %", (at, ours_at), (0, -16), textcoords="offset points", color=OURS, ha="center")
        panel.annotate(f"{naive_at:.0f} %", (at, naive_at), (0, 9), textcoords="offset points", color=NAIVE, ha="center")
    ticks = [0.5, 1, 1.2, 2, 5, 10]
    panel.set(xscale="log", ylim=(0, 108), xlabel="calls offered [times what the connections can serve]",
              ylabel="answers within 100 ms [% of capacity]",
              title="Overload: 10 connections, exponential holds of 5 ms on average, deadline 100 ms")
    panel.set_xticks(ticks, [f"{tick:g}x" for tick in ticks])
    panel.minorticks_off()
    panel.legend(loc="center right", fontsize=9)
    return figure


def draw_storm(series, _):
    figure, panels = plt.subplots(2, 2, figsize=(10, 6.4), sharex="col")
    figure.suptitle("After an outage: 40 processes want 25 connections each, the server can log in 50 per second")
    for column, (limiter, until, title) in enumerate((("refusing", 40, "a login limiter that refuses"),
                                                      ("queueing", 90, "a login limiter that queues"))):
        attempts, connected = panels[0][column], panels[1][column]
        for key, colour, label in (("naive", NAIVE, "naive: each slot again after 100 ms"),
                                   ("belay", OURS, "belay: one prober, then a slow start")):
            by_second = dict(zip(*series[f"{key}/{limiter}/attempts"]))
            back_at, back = series[f"{key}/{limiter}/connected"]
            seconds = range(int(back_at[-1]) + 1)
            # Nothing asked for in a second is drawn at the axis.
            attempts.step(seconds, [max(by_second.get(second, 0), 0.7) for second in seconds], where="post",
                          color=colour, label=label)
            connected.plot(back_at, back, color=colour, label=label)
        attempts.axhline(50, color=LIMIT, linestyle="--", linewidth=1.2, label="capacity: 50 per second")
        attempts.set(yscale="log", ylim=(0.7, 20000), title=title)
        connected.plot([0, 20], [0, 1000], ":", color=IDEAL, label="ideal: 50 per second")
        connected.set(xlim=(0, until), ylim=(0, 1050), xlabel="time since the server's return [s]")
    panels[0][0].set_ylabel("logins attempted [1/s]")
    panels[1][0].set_ylabel("connected again [connections]")
    panels[0][1].legend(loc="upper right", fontsize=9)
    panels[1][1].legend(loc="lower right", fontsize=9)
    return figure


def draw_hung_probe(series, figures):
    figure, panels = plt.subplots(2, 1, figsize=(9, 5), sharex=True, sharey=True)
    figure.suptitle("The endpoint fails for 30 s, and the breaker's first probe never returns")
    for panel, key, colour, label in ((panels[0], "belay", OURS, "belay: a probe's permit is leased"),
                                      (panels[1], "naive", NAIVE, "naive: waits for its one probe")):
        seconds, admitted = series[key]
        panel.axvspan(30, 60, color="#eeeeee", label="endpoint fails")
        panel.fill_between(seconds, admitted, step="post", color=colour, alpha=0.25)
        panel.step(seconds, admitted, where="post", color=colour, label=label)
        hung_at = next(second for second, count in zip(seconds, admitted) if second >= 60 and count > 0)
        panel.annotate("this probe hangs", (hung_at, 1), (hung_at + 8, 4.2),
                       arrowprops={"arrowstyle": "->", "color": "#333333"}, fontsize=9)
        panel.set(ylim=(0, 12.5), xlim=(0, 600), ylabel="calls admitted [1/s]")
        panel.legend(loc="upper right", fontsize=9, ncol=2)
    back = 60 + figures["hung_probe.belay.full_traffic_after_seconds"]
    panels[0].annotate("lease over, second probe: all is well", (back, 5), (back + 25, 4.2),
                       arrowprops={"arrowstyle": "->", "color": "#333333"}, fontsize=9)
    panels[1].text(330, 4.2, "refuses every call for ever", color=NAIVE, fontsize=10)
    panels[1].set_xlabel("time [s]")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where picture_fairness … were built")
    parser.add_argument("--into", type=pathlib.Path, default=ROOT / "docs" / "pictures")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update(STYLE)
    figures = {}
    for name, draw in (("fairness", draw_fairness), ("overload", draw_overload), ("storm", draw_storm),
                       ("hung_probe", draw_hung_probe)):
        series, told = run(arguments.programs / f"picture_{name}")
        figures.update(told)
        picture = draw(series, told)
        picture.tight_layout()
        file = arguments.into / f"{name}.svg"
        picture.savefig(file, metadata={"Date": None, "Creator": None})
        # matplotlib ends lines of a path with a blank.
        lines = file.read_text(encoding="utf-8").splitlines()
        file.write_text("".join(line.rstrip() + "\n" for line in lines), encoding="utf-8")
        plt.close(picture)
    missed = [f"{name}={figures[name]:g}, target {how} {bound:g}" for name, how, bound in TARGETS
              if not COMPARE[how](figures[name], bound)]
    for line in missed:
        print(f"pictures: MISSED: {line}", file=sys.stderr)
    print(f"figure: pictures.targets={len(TARGETS)} pictures.missed={len(missed)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
