"""Each rule of scripts/house must find a planted violation, and must leave a good tree alone."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2] / "scripts/house"

GOOD_TREE = {
    "CMakeLists.txt": "project(belay)\nadd_subdirectory(belay)\nadd_subdirectory(apps/casefile)\nadd_subdirectory(examples)\n",
    "belay/CMakeLists.txt": "add_subdirectory(core)\nadd_subdirectory(sqlite)\nadd_subdirectory(testkit)\n",
    "README.md": "Run `make test`.\n\n<!-- examples/first.cpp -->\n```cpp\nint main() {}\n```\n",
    "Makefile": "test: ## all\n\tscripts/test\n",
    "belay/core/CMakeLists.txt": "belay_component(core\n  HEADERS error.hpp\n  SOURCES error.cpp\n  TESTS error_test.cpp)\n",
    "belay/core/error.hpp": "#pragma once\n#include <string>\n",
    "belay/core/error.cpp": '#include "belay/core/error.hpp"\n',
    "belay/core/error_test.cpp": '#include "belay/core/error.hpp"\n#include "belay/testkit/clock.hpp"\n',
    "belay/sqlite/CMakeLists.txt": "belay_component(sqlite\n  HEADERS client.hpp\n  SOURCES client.cpp handle.cpp)\n",
    "belay/sqlite/client.hpp": '#pragma once\n#include "belay/core/error.hpp"\n',
    "belay/sqlite/client.cpp": '#include "belay/sqlite/client.hpp"\n#include "belay/sqlite/handle.hpp"\n',
    "belay/sqlite/handle.hpp": "#pragma once\n#include <sqlite3.h>\n",
    "belay/sqlite/handle.cpp": '#include "belay/sqlite/handle.hpp"\n',
    "belay/testkit/CMakeLists.txt": "belay_component(testkit HEADERS clock.hpp)\n",
    "belay/testkit/clock.hpp": '#pragma once\n#include "belay/sqlite/client.hpp"\n',
    "apps/casefile/CMakeLists.txt": "add_executable(casefile main.cpp)\n",
    "apps/casefile/main.cpp": '#include "belay/sqlite/client.hpp"\n',
    "examples/CMakeLists.txt": "add_executable(first first.cpp)\n",
    "examples/first.cpp": "// the first program\nint main() {}\n",
}


def look_at(changes: dict[str, str], *arguments: str) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD_TREE, **changes}.items():
            target = Path(root, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(HOUSE), "--root", root, *arguments], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr


class HouseTest(unittest.TestCase):
    def assert_found(self, changes: dict[str, str], *words: str) -> None:
        status, said = look_at(changes)
        self.assertEqual(status, 1, said)
        self.assertIn(" 1 findings", said)
        for word in words:
            self.assertIn(word, said)

    def test_leaves_a_good_tree_alone(self):
        status, said = look_at({})
        self.assertEqual(status, 0, said)
        self.assertIn(" 0 findings", said)

    def test_finds_a_lower_component_that_includes_a_higher_one(self):
        self.assert_found(
            {"belay/core/error.cpp": '#include "belay/sqlite/client.hpp"\n'},
            "belay/core/error.cpp:1: core must not include belay/sqlite/client.hpp",
        )

    def test_finds_a_component_that_includes_its_neighbour(self):
        self.assert_found(
            {
                "belay/CMakeLists.txt": GOOD_TREE["belay/CMakeLists.txt"] + "add_subdirectory(postgres)\n",
                "belay/postgres/CMakeLists.txt": "belay_component(postgres SOURCES connection.cpp)\n",
                "belay/postgres/connection.cpp": '#include "belay/sqlite/client.hpp"\n',
            },
            "postgres must not include",
        )

    def test_finds_the_library_including_an_application(self):
        self.assert_found(
            {"belay/sqlite/client.cpp": '#include "apps/casefile/dossier.hpp"\n'}, "the library must not include"
        )

    def test_finds_the_library_including_the_testkit(self):
        self.assert_found({"belay/sqlite/client.cpp": '#include "belay/testkit/clock.hpp"\n'}, "must not include")

    def test_finds_a_component_nobody_knows(self):
        self.assert_found(
            {
                "belay/CMakeLists.txt": GOOD_TREE["belay/CMakeLists.txt"] + "add_subdirectory(oracle)\n",
                "belay/oracle/CMakeLists.txt": "belay_component(oracle SOURCES oracle.cpp)\n",
                "belay/oracle/oracle.cpp": '#include "belay/core/error.hpp"\n',
            },
            "belay/oracle is not in the table",
        )

    def test_finds_a_heavy_public_header(self):
        for heavy in ("<sqlite3.h>", "<boost/beast/http.hpp>", "<boost/json.hpp>", "<openssl/ssl.h>", "<libpq-fe.h>"):
            with self.subTest(heavy):
                self.assert_found({"belay/sqlite/client.hpp": f"#pragma once\n#include {heavy}\n"}, "client.hpp:2:")

    def test_finds_a_header_that_users_would_miss(self):
        self.assert_found(
            {"belay/sqlite/client.hpp": '#pragma once\n#include "belay/sqlite/handle.hpp"\n'}, "is in no HEADERS"
        )

    def test_finds_a_listed_header_that_is_not_there(self):
        self.assert_found(
            {"belay/core/CMakeLists.txt": GOOD_TREE["belay/core/CMakeLists.txt"].replace("error.hpp", "error.hpp id.hpp")},
            "id.hpp, which is not there",
        )

    def test_finds_a_test_that_never_runs(self):
        self.assert_found({"belay/core/clock_test.cpp": "int x;\n"}, "this test is listed in no CMakeLists.txt")

    def test_finds_a_test_that_is_only_mentioned_in_a_comment(self):
        cmake = GOOD_TREE["belay/core/CMakeLists.txt"].replace("error_test.cpp)", ")  # error_test.cpp")
        self.assert_found({"belay/core/CMakeLists.txt": cmake}, "error_test.cpp: this test is listed in no")

    def test_finds_a_folder_that_is_never_added(self):
        self.assert_found(
            {"belay/CMakeLists.txt": "add_subdirectory(core)\n# add_subdirectory(sqlite)\nadd_subdirectory(testkit)\n"},
            "belay/sqlite/CMakeLists.txt: no add_subdirectory() leads here",
        )

    def test_finds_a_fuzzer_without_inputs(self):
        cmake = GOOD_TREE["belay/core/CMakeLists.txt"].replace("error_test.cpp)", "error_test.cpp\n  FUZZ url_fuzz.cpp)")
        fuzzer = {"belay/core/CMakeLists.txt": cmake, "belay/core/url_fuzz.cpp": "int x;\n"}
        self.assert_found(fuzzer, "no input in belay/core/url_corpus/")
        status, said = look_at({**fuzzer, "belay/core/url_corpus/empty": "no line end, and that is fine"})
        self.assertEqual(status, 0, said)

    def test_finds_names_that_say_nothing(self):
        for path in ("scripts/utils/run", "belay/core/helpers.hpp"):
            with self.subTest(path):
                self.assert_found({path: "#pragma once\n"}, "does not say what the thing is")

    def test_finds_an_unguarded_header(self):
        self.assert_found({"belay/core/error.hpp": "struct Error;\n"}, "no #pragma once")

    def test_finds_what_was_left_for_later(self):
        self.assert_found({"belay/core/error.cpp": "// TODO: the rest\n"}, "error.cpp:1: finish it")

    def test_finds_paths_of_one_machine(self):
        for path in ("/home/ann/belay", "/root/x", "/work/main"):
            with self.subTest(path):
                self.assert_found({"scripts/build": f"cd {path}\n"}, "scripts/build:1: an absolute path")

    def test_lets_routes_and_relative_paths_be(self):
        status, said = look_at({"scripts/build": "cd ~/home/x ../work/main api/root/y; get /workers\n"})
        self.assertEqual(status, 0, said)

    def test_finds_a_registry(self):
        self.assert_found({"scripts/build": "pip install --index-url https://example\n"}, "a registry's address")

    def test_finds_untidy_text(self):
        self.assert_found({"belay/core/error.cpp": "int x; \n"}, "error.cpp:1: blanks")
        self.assert_found({"belay/core/error.cpp": "int\tx;\n"}, "error.cpp:1: a tab")
        self.assert_found({"belay/core/error.cpp": "int x;"}, "error.cpp: the last line has no end")

    def test_finds_a_quotation_that_has_grown_old(self):
        self.assert_found({"examples/first.cpp": "int main() { return 1; }\n"}, "quotes examples/first.cpp otherwise")

    def test_finds_a_command_that_does_not_exist(self):
        self.assert_found({"README.md": "Run `make coffee`.\n"}, "README.md:1: there is no target 'coffee'")

    def test_reports_only_the_files_it_is_asked_about(self):
        violation = {"belay/core/error.cpp": "// FIXME\n"}
        self.assertEqual(look_at(violation, "--only", "README.md")[0], 0)
        self.assertEqual(look_at(violation, "--only", "belay/core/error.cpp")[0], 1)


if __name__ == "__main__":
    unittest.main()
