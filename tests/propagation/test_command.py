"""The `bindtrace` command as a person meets it, each case in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from support import fixture

from bindtrace.propagation.verbs import SECTIONS

ROOT = Path(__file__).parents[2]
VERBS = sorted(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["bindtrace.commands"]
)
OF_THE_BASE = ("authority", "authz", "js", "manifest", "proxy", "run")
BASE = "vercel-bindings/examples/services-nextjs-fastapi-bindings.vercel.json"

# As if only the base were installed: every module that an extra brings is not there.
BLOCKED = """
import sys
EXTRAS = ("duckdb", "pyarrow", "grpc", "starlette", "uvicorn", "rich", "httpx", "httptools", "orjson", "uvloop",
          "aiohttp", "requests",
          "google.protobuf", "google.rpc", "opentelemetry.proto", "opentelemetry.exporter",
          "opentelemetry.instrumentation")
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(tuple(EXTRAS)) and any(name == e or name.startswith(e + ".") for e in EXTRAS):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""
MAIN = "from bindtrace.propagation.command import main; main()"


def python(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def bindtrace(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return python(MAIN, *arguments, **variables)


def test_help_lists_every_verb_with_one_line() -> None:
    done = bindtrace("--help", COLUMNS="100")

    shown = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert done.returncode == 0, done.stderr
    assert [verb for verb in VERBS if not shown.get(verb)] == []


def test_help_says_what_each_verb_is_for_and_loads_none() -> None:
    program = f"""
import atexit
atexit.register(lambda: print(sorted({{name.split(".")[1] for name in sys.modules if name.startswith("bindtrace.")}})))
{MAIN}
"""

    done = python("import sys\n" + program, "--help")

    assert sorted(verb for verbs in SECTIONS.values() for verb in verbs) == VERBS
    assert done.stdout.splitlines()[-1] == "['propagation']"


def test_completion_of_a_verb_loads_none() -> None:
    program = f"""
import atexit
atexit.register(lambda: print("duckdb" in sys.modules))
{MAIN}
"""

    done = python(
        "import sys\n" + program,
        _BINDTRACE_COMPLETE="bash_complete", COMP_WORDS="bindtrace cha", COMP_CWORD="1",
    )  # fmt: skip

    assert done.stdout.split() == ["plain,chains", "plain,chain", "False"], done.stderr


def test_help_of_the_base_install_names_the_extra_of_each_verb() -> None:
    done = python(BLOCKED + MAIN, "-h", COLUMNS="100")

    assert done.returncode == 0, done.stderr
    assert "(needs pip install 'bindtrace[collector]')" in done.stdout
    assert "What manifests declare" in done.stdout


def test_the_demo_without_its_extra_is_one_line_and_exit_2() -> None:
    done = python(BLOCKED + MAIN, "demo")

    (line,) = done.stderr.splitlines()
    assert line.startswith("error: `bindtrace demo` needs `")
    assert line.endswith("fix: pip install 'bindtrace[collector]'")
    assert (done.returncode, done.stdout) == (2, "")


def test_every_verb_but_those_of_the_base_names_its_extra_where_it_is_missing() -> None:
    program = f"""
from bindtrace.propagation.command import main
for verb in {[verb for verb in VERBS if verb not in OF_THE_BASE]!r}:
    sys.argv[1:] = [verb]
    try:
        main()
    except SystemExit as ended:
        print(ended.code)
"""

    done = python(BLOCKED + program)

    said = done.stderr.splitlines()
    assert done.stdout.split() == ["2"] * (len(VERBS) - len(OF_THE_BASE))
    assert [line for line in said if not line.endswith("fix: pip install 'bindtrace[collector]'")] == []


def test_the_propagator_for_javascript_is_printed_by_the_base() -> None:
    done = python(BLOCKED + MAIN, "js")

    module = ROOT / "propagation" / "js" / "service-binding.mjs"
    assert (done.returncode, done.stdout) == (0, module.read_text("utf-8"))


OF_AN_EXTRA = (
    "propagation/serving/",
    "propagation/workload/httpx_transport.py",
    "propagation/workload/aiohttp_connector.py",
    "propagation/workload/grpc_channel.py",
    "propagation/workload/grpc_interceptor.py",
    "propagation/workload/requests_adapter.py",
)
"""Servers, and adapters of libraries that a service may have; pyproject's import contract names the same."""


def test_the_base_imports_without_any_extra() -> None:
    modules = sorted(
        "bindtrace." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "propagation").rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(OF_AN_EXTRA)
    )

    done = python(BLOCKED + f"import importlib\nfor name in {modules!r}: importlib.import_module(name)")

    assert done.returncode == 0, done.stderr
    assert len(modules) > 15


def test_a_verb_that_imports_an_extra_while_it_runs_is_refused_as_well(tmp_path: Path) -> None:
    program = """
import click, sys
from bindtrace.propagation import command
@click.command()
def demo() -> None:
    raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")
command._load = lambda entry: demo
command.main()
"""

    done = python(program, "demo")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "`bindtrace demo` needs `duckdb`" in done.stderr


def test_an_unknown_verb_names_the_nearest() -> None:
    done = bindtrace("chain-s")

    assert done.returncode == 2
    assert done.stderr == (
        "error: `chain-s` is not a command of bindtrace. fix: `bindtrace chains`, or `bindtrace --help` for all\n"
    )


def test_a_wrong_option_is_one_line_and_a_fix() -> None:
    done = bindtrace("manifest", "--formt", "json", "x.json")

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("error: No such option")
    assert line.endswith("fix: `bindtrace manifest --help` shows how to call it")


def test_the_version_is_the_distributions() -> None:
    done = bindtrace("--version")

    assert (done.returncode, done.stdout) == (0, "bindtrace, version 0.1.0\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    paths = [str(fixture(BASE))] * 400  # more than a pipe holds
    listing = subprocess.Popen(
        [sys.executable, "-c", MAIN, "manifest", *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.readline()
    listing.stdout.close()

    said = listing.stderr.read()
    listing.stderr.close()

    assert (listing.wait(60), said) == (141, "")


def test_a_full_disk_behind_standard_output_is_one_line_and_not_status_1() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "js"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )

    assert done.returncode == 2
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device. "
        "fix: make room where it goes, or send it elsewhere\n"
    )


def test_a_fault_of_ours_is_one_line_and_shows_where_it_is_when_asked() -> None:
    program = """
import click
from bindtrace.propagation import command
@click.command()
def manifest() -> None:
    raise ValueError("odd")
command._load = lambda entry: manifest
command.main()
"""

    plain, traced = python(program, "manifest"), python(program, "manifest", BINDTRACE_TRACEBACK="1")

    (line,) = plain.stderr.splitlines()
    assert (plain.returncode, traced.returncode) == (2, 2)
    assert line.startswith("error: a fault of bindtrace's own: ValueError: odd (")
    assert traced.stderr.startswith("Traceback (most recent call last):")


def test_an_empty_path_is_not_taken_for_this_folder() -> None:
    done = bindtrace("manifest", "")

    assert done.returncode == 2
    assert "the path is empty: is a variable unset?" in done.stderr


def test_ctrl_c_is_quiet() -> None:
    program = """
import click
from bindtrace.propagation import command
@click.command()
def manifest() -> None:
    raise KeyboardInterrupt
command._load = lambda entry: manifest
command.main()
"""

    done = python(program, "manifest")

    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


def test_options_are_read_from_the_environment() -> None:
    done = bindtrace("manifest", str(fixture(BASE)), BINDTRACE_FORMAT="json")

    assert [manifest["platform"] for manifest in json.loads(done.stdout)] == ["vercel"]


def test_a_format_for_all_commands_is_left_out_by_one_that_lacks_it_and_a_wrong_one_is_refused() -> None:
    lacking, wrong, typed = (
        bindtrace("manifest", str(fixture(BASE)), BINDTRACE_FORMAT="csv"),
        bindtrace("manifest", str(fixture(BASE)), BINDTRACE_FORMAT="cvs"),
        bindtrace("manifest", str(fixture(BASE)), "-f", "csv"),
    )

    assert (lacking.returncode, wrong.returncode, typed.returncode) == (0, 2, 2)
    assert "grants" in lacking.stdout


def test_manifest_shows_grants_with_their_lines() -> None:
    path = fixture(BASE)

    done = bindtrace("manifest", str(path))

    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert ["frontend", "backend", "BACKEND_URL", "8"] in lines
    assert ["backend", "internal", "16"] in lines
    assert ["/(.*)", "frontend", "22"] in lines


def test_manifest_shows_every_problem_and_exits_1_where_one_is_fatal(tmp_path: Path) -> None:
    vercel, own = tmp_path / "vercel.json", tmp_path / "bindtrace.toml"
    vercel.write_text('{\n"services": {\n"web": {\n"root": ".",\n"rot": 1,\n"bindings": [{}]}}}')
    own.write_text('[[exceptions]]\nrule = "public-route"\nreason = "soon"\nuntil = 2026-12-31\n')

    table, listed = (
        bindtrace("manifest", str(vercel), str(own)),
        bindtrace("manifest", "-fjson", str(vercel), str(own)),
    )

    assert (table.returncode, listed.returncode) == (1, 1)
    assert f"warning {vercel}:3: " in table.stdout
    assert table.stdout.count(f"error {vercel}:6: ") == 3
    first, second = json.loads(listed.stdout)
    assert len(first["problems"]) == 4
    assert second["accepted"][0]["until_unix_nano"] == "1798761600000000000"


def test_a_file_that_is_not_there_is_one_line_and_exit_2() -> None:
    done = bindtrace("manifest", "absent.json")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: absent.json cannot be read: No such file or directory. fix: name a readable file\n"
    )
