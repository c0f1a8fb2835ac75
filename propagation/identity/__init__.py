"""Who a workload is, and how it proves it. Values and pure checks only: no I/O, no clock, no extra needed.

The map, in the order one file builds on the other (reference in brackets: section of the enforcement page):

- `spiffe`: SPIFFE ids of fixed arity as tuples, `Workload` and `Service` (3.2)
- `encoding`: strict base64url and JSON; `compact`: a compact JWS taken apart, nothing verified (3.3)
- `keys`: P-256 keys as JWK, RFC 7638 thumbprints; `jose`: the one file that calls the JOSE library
- `wit`: the Workload Identity Token, parsed and issued; `wpt`: the Workload Proof Token (3.3, 3.4)
- `certificates`: CA, leaf, CSR; `peer`: what a peer certificate proves (3.5)
- `bundle`: trust bundle in SPIFFE JWKS form (3.6); `policy`: bindings and what is denied (3.9, 3.15)

`bindtrace.propagation.guard` judges requests by these, `bindtrace.propagation.authority` issues them. A parser
returns the value or `Absent(reason)`; an issuer raises `ValueError` for our own misuse.
"""
