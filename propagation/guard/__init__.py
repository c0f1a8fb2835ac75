"""The receiver's side: one pure judgement of a request, and the middleware that acts on it.

- `request`: what is judged and by what: `Request`, `Receiver`, `Trust`, `Judgement`
- `headers`, `forwarded`: header names by canonical spelling; certificates that a hop hands on
- `memory`: replay cache, verified-token cache, certificate cache; `token_checks`, `call_checks`, `peer_checks`,
  `proof_checks`: the ordered tables of reasons; `judge`: runs them
- `modes`: from a reason to what happens
"""
