"""docs/resilience.md says what the code does: its examples are compiled and run, its figures are the code's defaults.

Usage: guide_test.py PROGRAM, where PROGRAM is built from examples/resilience.cpp
"""
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/resilience.md"
SOURCE = ROOT / "examples/resilience.cpp"


def regions(source):
    """What stands between `// [guide: NAME]` and `// [guide end]`, by name."""
    return dict(re.findall(r"^// \[guide: ([^\]]+)\]\n(.*?)^// \[guide end\]$", source, re.M | re.S))


def blocks(page):
    """The page's C++ examples."""
    return [textwrap.dedent(block) for block in re.findall(r"^```cpp\n(.*?)^```$", page, re.M | re.S)]


def defaults_told(page):
    """Rows of the section Defaults, each with an option's name and its value: | `name` | value | ..."""
    section = page.split("\n## Defaults\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z_.]+)` \| ([^|]+?) \|", section, re.M)


def main():
    page = GUIDE.read_text(encoding="utf-8")
    sources = regions(SOURCE.read_text(encoding="utf-8"))
    problems = []

    quoted = set()
    for block in blocks(page):
        names = [name for name, text in sources.items() if textwrap.dedent(text) == block]
        if names:
            quoted.update(names)
        else:
            problems.append("an example is in no region of examples/resilience.cpp:\n" + textwrap.indent(block, "    "))
    problems += [f"the region '{name}' is not quoted" for name in sources if name not in quoted]

    output = subprocess.run([sys.argv[1], "defaults"], check=True, capture_output=True, text=True, timeout=30).stdout
    actual = dict(line.split(" = ") for line in output.splitlines())
    told = defaults_told(page)
    for name, value in told:
        if name not in actual:
            problems.append(f"the program does not print the default of `{name}`")
        elif actual[name] != value:
            problems.append(f"`{name}` is {actual[name]}, the guide says {value}")
    told_names = [name for name, _ in told]
    problems += [f"the guide does not tell the default of `{name}`" for name in actual if name not in told_names]
    problems += [f"`{name}` is told twice" for name in set(told_names) if told_names.count(name) > 1]

    for problem in problems:
        print(f"docs/resilience.md: {problem}")
    print(f"guide: {len(quoted)} examples, {len(told)} defaults, {len(problems)} problems")
    return 1 if problems or not quoted or not told else 0


if __name__ == "__main__":
    sys.exit(main())
