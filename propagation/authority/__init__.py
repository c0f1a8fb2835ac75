"""The control plane: one directory with its keys and one sqlite3 file, one process that issues and rotates.

- `key_files`: private files, never readable by others at any instant; `store`, `schema.sql`: registry, keys, log
- `rotation`: when a key is prepared, activated, removed, and the invariants that must hold; pure
- `log`: the hash-chained record of everything issued; `issuing`: what is given to whom
- `api`: the endpoints; `serving` (needs `[shim]`): their process; `commands`: `bindtrace authority …`
"""
