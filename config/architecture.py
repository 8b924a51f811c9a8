"""Contracts for import-linter: no app imports another's inner modules, and rules know neither SQL nor the ORM.

Source: https://import-linter.readthedocs.io/en/stable/custom_contract_types/.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class Faces(Contract):
    """Of the apps under `root`, others may import only the modules named `public`; the apps in `shared` are open.

    It lists no app, so a new one falls under it without an edit.
    """

    # fields declare; on an instance they are the values from pyproject.toml
    root: Any = fields.StringField()
    shared: Any = fields.ListField(subfield=fields.StringField())
    public: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Kept if every import between two apps ends at a public module."""
        reached = sorted(
            (importer, imported)
            for importer in graph.find_descendants(self.root)
            for imported in graph.find_modules_directly_imported_by(importer)
            if self._reaches_behind(importer, imported)
        )
        return ContractCheck(kept=not reached, metadata={"reached": reached})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import of a module that is not public."""
        for importer, imported in check.metadata["reached"]:
            output.print_error(f"{importer} imports {imported}: only {', '.join(self.public)} are public.")
            output.new_line()

    def _reaches_behind(self, importer: str, imported: str) -> bool:
        mine, theirs = importer.split("."), imported.split(".")
        if theirs[0] != self.root or len(theirs) < 2 or theirs[1] in (mine[1], *self.shared):
            return False
        inside = ".".join(theirs[2:])
        return not any(inside == face or inside.startswith(f"{face}.") for face in self.public)


class NoPersistence(Contract):
    """The modules that match `modules` (`*` stands for one name) neither import django.db nor use a model's manager.

    import-linter itself sees `django` as a whole, and no managers, so this contract reads the source.
    """

    modules: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Kept if none of the matching modules has persistence."""
        matching = sorted({module for pattern in self.modules for module in graph.find_matching_modules(pattern)})
        problems = [
            f"{module}, line {line}: {what} belongs in a repository or a query."
            for module in matching
            for line, what in persistence_in(_source_of(module))
        ]
        return ContractCheck(kept=not problems, metadata={"problems": problems})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each use with its line."""
        for problem in check.metadata["problems"]:
            output.print_error(problem)
            output.new_line()


def persistence_in(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each import of django.db and each use of a model's manager in Python `source`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr in ("objects", "_default_manager", "_base_manager"):
            yield node.lineno, f".{node.attr}"
            continue
        else:
            continue
        if any(name == "django.db" or name.startswith("django.db.") for name in names):
            yield node.lineno, "django.db"


def _source_of(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{module} has no source file.")
    return Path(spec.origin).read_text(encoding="utf-8")
