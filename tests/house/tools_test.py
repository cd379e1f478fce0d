"""The tools a green run rests on must turn red when they should: sweep, count, evidence, hook and set-up."""

import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PRELUDE = """
#include <functional>
#include <string>
#include <boost/asio/awaitable.hpp>
template <class T> using awaitable = boost::asio::awaitable<T>;
struct Dossier { std::string name; };
awaitable<Dossier> insert(Dossier);
awaitable<void> run(std::function<void()>);
awaitable<std::string> text();
"""

BROKEN_SHAPES = {
    "owning-closure-in-co_await": "awaitable<void> f(std::string s) { co_await run([s] {}); }",
    "aggregate-temporary-in-co_await": 'awaitable<void> f() { co_await insert(Dossier{.name = "a"}); }',
    "aggregate-built-from-co_await": "awaitable<void> f() { Dossier d{.name = co_await text()}; }",
    "class-ternary-with-co_await": 'awaitable<void> f(bool b) { std::string s = b ? co_await text() : "none"; }',
    "aggregate-default-argument": "awaitable<void> f(Dossier d = {});",
    "condition-awaits-in-coroutine-without-locals": "awaitable<void> f() { if ((co_await text()).empty()) (void)0; }",
}

SAFE_SHAPES = """
awaitable<void> f(std::string s) {
  auto body = [s] {};
  co_await run(body);
  int seen = 0;
  co_await run([&seen] { ++seen; });
  Dossier dossier{.name = s};
  co_await insert(dossier);
  std::string name;
  if (seen) name = co_await text();
}
"""


def run(*command: str, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class ProjectOfOneFile(unittest.TestCase):
    """A copy of the scripts in a tree of their own."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = Path(place.name).resolve()
        shutil.copytree(ROOT / "scripts", self.root / "scripts")

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target


@unittest.skipUnless(shutil.which("clang-query-14"), "clang-query-14 is not installed")
class SweepTest(ProjectOfOneFile):
    def sweep(self, code: str) -> tuple[int, str]:
        source = self.write("examples/shape.cpp", PRELUDE + code)
        self.write("build/dev/build.ninja", "")
        command = {"directory": str(self.root), "file": str(source), "command": f"g++ -std=c++20 -c {source}"}
        self.write("build/dev/compile_commands.json", json.dumps([command]))
        return run("scripts/analyse", "coroutines", cwd=self.root)

    def test_finds_each_shape_that_breaks(self):
        for name, code in BROKEN_SHAPES.items():
            with self.subTest(name):
                status, said = self.sweep(code)
                self.assertEqual(status, 1, said)
                self.assertIn(name, said)

    def test_leaves_the_safe_shapes_alone_and_remembers_them(self):
        status, said = self.sweep(SAFE_SHAPES)
        self.assertEqual(status, 0, said)
        self.assertIn("1 looked at", said)
        status, said = self.sweep(SAFE_SHAPES)
        self.assertEqual(status, 0, said)
        self.assertIn("0 looked at", said)

    def test_does_not_call_unreadable_code_clean(self):
        status, said = self.sweep("awaitable<void> f() { co_await nothing_of_that_name(); }")
        self.assertEqual(status, 1, said)
        self.assertIn("nothing was checked", said)


class CountTest(ProjectOfOneFile):
    def count(self, *tests: str) -> str:
        log = "Start testing: now\n" + "".join(f"{n}/{len(tests)} Testing: t{n}\n{t}\n" for n, t in enumerate(tests, 1))
        path = self.write("LastTest.log", log)
        status, said = run("scripts/count-tests", str(path), cwd=self.root)
        self.assertEqual(status, 0, said)
        return said.strip()

    def test_counts_the_cases_of_a_googletest_program(self):
        cases = "[       OK ] A.B (0 ms)\n[  FAILED  ] A.C (3 ms)\n[  SKIPPED ] A.D (0 ms)\n"
        summary = "[  FAILED  ] 1 test, listed below:\n[  FAILED  ] A.C\nTest Failed.\n"
        self.assertEqual(self.count(cases + summary), "figure: passed=1 failed=1 skipped=1")

    def test_counts_any_other_program_as_one(self):
        self.assertEqual(self.count("fine\nTest Passed.\n", "not\nTest Failed.\n"), "figure: passed=1 failed=1 skipped=0")

    def test_counts_a_test_that_passes_by_what_it_printed(self):
        reason = "error: refused\nTest Pass Reason:\nRequired regular expression found. Regex=[refused]\n"
        self.assertEqual(self.count(reason), "figure: passed=1 failed=0 skipped=0")
        reason = "fine\nTest Fail Reason:\nRequired regular expression not found. Regex=[refused]\n"
        self.assertEqual(self.count(reason), "figure: passed=0 failed=1 skipped=0")

    def test_counts_a_crash_after_good_cases_as_a_failure(self):
        crash = "[       OK ] A.B (0 ms)\n[ RUN      ] A.C\nTest Failed.\n"
        self.assertEqual(self.count(crash), "figure: passed=1 failed=1 skipped=0")


class Repository(ProjectOfOneFile):
    def setUp(self):
        super().setUp()
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "all")

    def try_git(self, *arguments: str) -> tuple[int, str]:
        return run("git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments, cwd=self.root)

    def git(self, *arguments: str) -> str:
        status, said = self.try_git(*arguments)
        self.assertEqual(status, 0, said)
        return said.strip()


class HookTest(Repository):
    def setUp(self):
        super().setUp()
        self.assertEqual(run("scripts/hooks/install", cwd=self.root)[0], 0)

    def test_refuses_what_is_staged_and_broken(self):
        self.write("scripts/new", "#!/bin/bash\nfi\n")
        self.git("add", "scripts/new")
        status, said = self.try_git("commit", "-m", "x")
        self.assertEqual(status, 1, said)
        self.assertIn("scripts/new is no valid shell script", said)

    def test_looks_at_what_is_staged_and_not_at_what_lies_beside_it(self):
        script = self.write("scripts/new", "#!/bin/bash\ntrue\n")
        self.git("add", "scripts/new")
        script.write_text("#!/bin/bash\nfi\n", encoding="utf-8")
        self.write("scripts/other", "a\ttab\n")
        self.git("commit", "-m", "x")

    def test_is_out_of_the_way_when_renamed(self):
        hook = self.root / ".git/hooks/pre-commit"
        hook.rename(hook.with_suffix(".off"))
        self.write("scripts/new", "#!/bin/bash\nfi\n")
        self.git("add", "scripts/new")
        self.git("commit", "-m", "x")


class EvidenceTest(Repository):
    def prove(self, script: str) -> tuple[int, str]:
        return run("scripts/evidence", "trial", "--param", "rounds=3", "--", "bash", "-c", script, cwd=self.root)

    def test_writes_down_what_was_proved(self):
        status, said = self.prove("echo seed: 42; echo figure: lost=1 rate=0.5; echo figure: lost=0; echo other: 9")
        self.assertEqual(status, 0, said)
        evidence = json.loads((self.root / "evidence/trial.json").read_text(encoding="utf-8"))
        self.assertEqual(evidence["figures"], {"lost": 0, "rate": 0.5})
        self.assertEqual(evidence["seeds"], [42])
        self.assertEqual(evidence["parameters"], {"rounds": 3})
        self.assertEqual(evidence["result"], "passed")
        self.assertEqual(evidence["commit"], self.git("rev-parse", "HEAD"))

    def test_keeps_a_failure_as_evidence_and_fails(self):
        status, said = self.prove("exit 7")
        self.assertEqual(status, 7, said)
        self.assertIn("failed with exit status 7", (self.root / "evidence/trial.json").read_text(encoding="utf-8"))

    def test_refuses_a_tree_whose_commit_would_not_name_it(self):
        self.write("scripts/new", "")
        status, said = self.prove("true")
        self.assertEqual(status, 2, said)
        self.assertIn("scripts/new", said)
        self.assertFalse((self.root / "evidence").exists())

    def test_lets_an_earlier_proof_wait_for_its_commit(self):
        self.assertEqual(self.prove("true")[0], 0)
        self.assertEqual(self.prove("true")[0], 0)


class BenchTest(ProjectOfOneFile):
    """scripts/bench and the targets it checks, on benchmarks that are made up."""

    RESULT = """
for argument in "$@"; do
  case $argument in --benchmark_out=*) out=${argument#*=} ;; esac
done
"""

    def setUp(self):
        super().setUp()
        self.write("scripts/build", "#!/bin/bash\n")
        shutil.copytree(ROOT / "bench", self.root / "bench", ignore=shutil.ignore_patterns("*.cpp"))
        self.costs = {tuple(row[1:3]): row[3] for row in self.table("COSTS")}

    def table(self, name: str) -> list:
        code = f"import json, sys; sys.path.insert(0, 'bench'); import core_targets; print(json.dumps(core_targets.{name}))"
        status, said = run("/usr/bin/python3", "-c", code, cwd=self.root)
        self.assertEqual(status, 0, said)
        return json.loads(said)

    def program(self, name: str, script: str) -> None:
        self.write(f"build/bench/bench/{name}", f"#!/bin/bash\n{script}").chmod(0o755)

    def benchmark(self, name: str, results: list[dict], output: str = "") -> None:
        told = json.dumps({"benchmarks": results})
        self.program(name, f"{self.RESULT}cat > \"$out\" <<'JSON'\n{told}\nJSON\necho '{output}'\n")

    def meet_all_targets(self, worse: dict | None = None) -> None:
        """Every benchmark at its target; `worse` changes what one of them told."""
        programs: dict[str, list] = {}
        for (program, benchmark), most in self.costs.items():
            for cost in (most * 2, most):  # one bad repetition proves nothing
                told = {"run_name": benchmark, "run_type": "iteration", "cpu_time": cost, "allocations": 0}
                programs.setdefault(program, []).append(told | (worse or {}).get(benchmark, {}))
        for program, results in programs.items():
            self.benchmark(program, results)
        self.amplify(1.1)

    def amplify(self, worst: float) -> None:
        line = f"figure: amplification.failing_100.without_budget=5.00 amplification.worst_less_floor={worst}"
        self.program("resilience_retry_bench", f"echo '{line}'\n")

    def check(self) -> tuple[int, str]:
        return run("/usr/bin/python3", "bench/core_targets.py", "--programs", "build/bench/bench", cwd=self.root)

    def test_is_content_when_the_best_repetition_meets_the_target(self):
        self.meet_all_targets()
        status, said = self.check()
        self.assertEqual(status, 0, said)
        self.assertIn("core.breaker.all_rules.cpu_ns=15 core.breaker.all_rules.cpu_ns_max=30", said)
        self.assertIn("core.missed=0", said)

    def test_names_each_target_that_is_missed_and_looks_at_all(self):
        self.meet_all_targets({"pipeline": {"cpu_time": 201}, "breaker_open_refusal": {"allocations": 1}})
        self.amplify(1.2)
        status, said = self.check()
        self.assertEqual(status, 1, said)
        self.assertIn("MISSED: core.policy.pipeline takes 201 ns of CPU, target <= 200", said)
        self.assertIn("MISSED: core.breaker.open_refusal allocates (1), target none", said)
        self.assertIn("MISSED: amplification.worst_less_floor=1.2, target <= 1.1", said)
        self.assertIn("core.missed=3", said)

    def test_takes_silence_for_a_miss(self):
        self.meet_all_targets()
        self.benchmark("pool_shell_bench", [])
        self.program("pool_core_bench", "exit 3\n")
        self.program("resilience_retry_bench", "")
        status, said = self.check()
        self.assertEqual(status, 1, said)
        self.assertIn("pool_shell_bench told nothing about uncontended", said)
        self.assertIn("pool_core_bench gave no result", said)
        self.assertIn("told no amplification.worst_less_floor", said)
        self.assertIn("core.policy.pipeline.cpu_ns=200", said)

    def test_measures_on_after_a_benchmark_that_failed_and_fails_at_the_end(self):
        self.program("a_bench", "exit 1\n")
        self.benchmark("b_bench", [{"name": "turn", "real_time": 7.5, "time_unit": "ns"}])
        self.write("bench/run", "#!/bin/bash\necho compared with peers\n")
        status, said = run("scripts/bench", cwd=self.root)
        self.assertEqual(status, 1, said)
        self.assertIn("a_bench failed", said)
        self.assertIn("figure: b.turn.ns=7.5", said)
        self.assertIn("compared with peers", said)

    def test_fails_when_a_comparison_failed(self):
        self.benchmark("b_bench", [])
        self.write("bench/run", "#!/bin/bash\nexit 1\n")
        self.assertEqual(run("scripts/bench", cwd=self.root)[0], 1)
        self.write("bench/run", "#!/bin/bash\n")
        self.assertEqual(run("scripts/bench", cwd=self.root)[0], 0)


class SetupTest(ProjectOfOneFile):
    """scripts/setup on machines that are made up: only what is linked here is on the PATH."""

    def setUp(self):
        super().setUp()
        for tool in ("bash", "cat", "env", "grep", "mktemp", "rm", "sed"):
            self.write(f"bin/{tool}", "").unlink()
            (self.root / "bin" / tool).symlink_to(shutil.which(tool))
        self.tool("id", "echo 0")
        self.tool("apt-get", 'echo "$@" >> apt-calls')

    def tool(self, name: str, script: str) -> None:
        self.write(f"bin/{name}", f"#!/bin/bash\n{script}\n").chmod(0o755)

    def installed(self, *packages: str) -> None:
        answers = "".join(f"  if [[ {name} == $pattern ]]; then echo 'installed {name}'; fi\n" for name in packages)
        self.tool("dpkg-query", f'shift 3\nfor pattern in "$@"; do\n{answers}  true\ndone')

    def set_up(self) -> tuple[int, str, list[str]]:
        status, said = run("bin/env", "PATH=bin", "scripts/setup", "run", cwd=self.root)
        calls = self.root / "apt-calls"
        return status, said, calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    RUN_PACKAGES = (
        "g++ cmake ninja-build ccache pkg-config libboost1.81-dev libboost-json1.81-dev libssl-dev libsqlite3-dev "
        "libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libre2-dev"
    ).split()

    def test_does_nothing_when_all_is_there(self):
        self.installed(*self.RUN_PACKAGES)
        self.assertEqual(self.set_up(), (0, "", []))

    def test_installs_what_is_missing_and_nothing_else(self):
        self.installed(*(package for package in self.RUN_PACKAGES if package not in ("cmake", "libre2-dev")))
        status, said, calls = self.set_up()
        self.assertEqual(status, 0, said)
        self.assertEqual(len(calls), 2)
        self.assertTrue(calls[0].endswith(" update"), calls)
        self.assertTrue(calls[1].endswith("install --no-install-recommends cmake libre2-dev"), calls)

    def test_does_not_replace_another_boost_unasked(self):
        self.installed("libboost-dev", "libboost1.74-dev")
        status, said, calls = self.set_up()
        self.assertEqual(status, 1, said)
        self.assertIn("libboost1.74-dev", said)
        self.assertIn("BELAY_REPLACE_BOOST=1", said)
        self.assertEqual(calls, [])

    def test_says_what_to_run_where_it_may_not(self):
        self.installed()
        self.tool("id", "echo 1000")
        status, said, calls = self.set_up()
        self.assertEqual(status, 1, said)
        self.assertIn("neither root nor sudo", said)
        self.assertIn("apt-get install --no-install-recommends g++ cmake", said)
        self.assertEqual(calls, [])

    def test_uses_sudo_where_it_must(self):
        self.installed()
        self.tool("id", "echo 1000")
        self.tool("sudo", 'echo sudo >> apt-calls; "$@"')
        status, said, calls = self.set_up()
        self.assertEqual(status, 0, said)
        self.assertEqual(calls.count("sudo"), 2)


if __name__ == "__main__":
    unittest.main()
