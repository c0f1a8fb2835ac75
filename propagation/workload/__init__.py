"""A workload's own side: it joins an authority, keeps its credentials fresh, and signs its calls.

- `joining`: the file that a workload joins with, and its private state; `endpoint`: talking to the authority
- `generation`: key, certificate, tokens and TLS contexts of one issuance, swapped as a whole
- `schedule`: when to renew, pure; `identity`: `Identity`, which does it, and is a receiver's `TrustSource`
- `outgoing`: what is added to a call, for whom; `httpx_transport`, `requests_adapter`, `grpc_interceptor`: the same for
  a library each
"""
