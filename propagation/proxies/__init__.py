"""Real proxies in front of a service: what they are configured with, and the endpoint that they ask.

- `endpoint`: the ASGI application that decides for a proxy; `authz_command` serves it
"""
