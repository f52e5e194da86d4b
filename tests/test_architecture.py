"""The shape of the code: what is public, what start-up may load, how large a module may grow."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for path in (ROOT / "harness").rglob("*.py") if path.name != "__main__.py")
HEAVY = ("kubernetes", "pymysql", "celpy", "cel_expr_python", "yaml", "tenacity", "websocket")


def names(module: ast.Module) -> set[str]:
    """Return the public names that a module defines itself."""
    found: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.TypeAlias if hasattr(ast, "TypeAlias") else ()):
            found.add(node.name.id)
    return {name for name in found if not name.startswith("_") or name == "__version__"}


def listed(module: ast.Module) -> set[str] | None:
    """Return what a module's __all__ names."""
    for node in module.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return set(ast.literal_eval(node.value))  # type: ignore[attr-defined]  # both kinds have a value
    return None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_what_is_public(path: Path) -> None:
    """Each module has a docstring, and what __all__ names exists in it."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(module), "a module docstring: its role, and who may import it"
    public = listed(module)
    if public is None:
        assert path.name == "__init__.py" or not names(module), "an __all__ that lists the public names"
        return
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    lazy = {"__getattr__"} & {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert lazy or public <= names(module) | imported, "names in __all__ that do not exist"


def test_collecting_loads_nothing_heavy(tmp_path: Path) -> None:
    """A start of pytest with our plugin leaves clients, parsers and probes alone until a fixture asks for them."""
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_collection_finish(session):\n"
        f"    loaded = sorted(set({HEAVY!r}) & set(sys.modules) - BEFORE)\n"
        "    print('LOADED', loaded)\n"
        "BEFORE = {'yaml'} if 'pykube' in sys.modules else set()\n"  # pytest-kind's own import, not ours
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "LOADED []" in done.stdout, done.stdout + done.stderr
