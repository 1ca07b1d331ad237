"""Checks from installed packages: the example is really installed and run; one that does not load is said."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanner.plugins import load_plugins

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "examples" / "preflight-example-plugin"


def entry(value: str, name: str = "x") -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint(name, value, "preflight.checks")


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("no_such_module:PLUGIN", "ModuleNotFoundError"),
        ("scanner.plugins:NOTHING", "AttributeError"),
        ("builtins:dict", "dict, not a scanner.plugins.Plugin"),
        ("builtins:exit", "SystemExit"),
    ],
)
def test_a_plugin_that_does_not_load_is_an_error_in_the_report(value: str, cause: str) -> None:
    loaded = load_plugins([], [entry(value)])
    (failure,) = loaded.failures
    assert (failure.check, failure.status.value, failure.not_evaluated) == ("plugin-x", "error", True)
    assert cause in failure.message
    assert not loaded.checks


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example is installed as pip does it, from its own pyproject.toml."""
    folder = tmp_path_factory.mktemp("plugins")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "--target", str(folder), str(EXAMPLE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(TOP)])
    return subprocess.run(
        [sys.executable, "-m", "scanner", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_the_example_is_installed_listed_explained_and_run(installed: Path, tmp_path: Path) -> None:
    assert "example-kernel-match" in run(installed, "checks").stdout
    assert "uname -r" in run(installed, "explain", "example-kernel-match").stdout
    from scanner.lab.lab import Lab
    from scanner.lab.scenario import load_scenario

    scenario = tmp_path / "kernels.toml"
    scenario.write_text(
        'extends = "chef-healthy"\n'
        + "".join(
            f'[clusters.chef.nodes.{name}]\nanswers = {{example-kernel = {{output = "{kernel}"}}}}\n'
            # The third answers with the probe's own sample.
            for name, kernel in (("backend-1", "4.18.0"), ("backend-2", "4.18.0"))
        ),
        encoding="utf-8",
    )
    sys.path.insert(0, str(installed))
    try:
        with Lab(load_scenario(str(scenario))) as lab:
            done = run(installed, "scan", str(lab.write(tmp_path)), "--json", str(tmp_path / "r.json"))
    finally:
        sys.path.remove(str(installed))
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["results"]
    (told,) = [result for result in results if result["check"] == "example-kernel-match"]
    assert (told["status"], told["message"]) == ("warn", "kernels differ: backend-3 runs 5.14.0-427.el9.x86_64")


def test_a_scan_with_a_broken_plugin_is_unknown_and_says_so(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    info = broken / "broken_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[preflight.checks]\nbroken = broken_plugin:PLUGIN\n", encoding="utf-8")
    from scanner.lab.lab import Lab
    from scanner.lab.scenario import load_scenario

    with Lab(load_scenario("chef-healthy")) as lab:
        done = run(broken, "scan", str(lab.write(tmp_path)), "--junit", str(tmp_path / "r.xml"))
    assert done.returncode == 3
    assert "broken" in done.stdout
    assert "pip uninstall broken-plugin" in done.stdout
    assert "plugin-broken" in (tmp_path / "r.xml").read_text(encoding="utf-8")
