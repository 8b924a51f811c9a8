"""A contract for import-linter: no app reaches behind another app's face.

Source: https://import-linter.readthedocs.io/en/stable/custom_contract_types/.
"""

from __future__ import annotations

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
        """Names each import that reaches behind a face."""
        for importer, imported in check.metadata["reached"]:
            output.print_error(f"{importer} imports {imported}: only {', '.join(self.public)} are public.")
            output.new_line()

    def _reaches_behind(self, importer: str, imported: str) -> bool:
        mine, theirs = importer.split("."), imported.split(".")
        if theirs[0] != self.root or len(theirs) < 2 or theirs[1] in (mine[1], *self.shared):
            return False
        inside = ".".join(theirs[2:])
        return not any(inside == face or inside.startswith(f"{face}.") for face in self.public)
