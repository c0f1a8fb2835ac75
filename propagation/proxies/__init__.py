"""Real proxies in front of a service: their configuration, the endpoint that they ask, and running all of it.

- `plan`: what a proxy is to do, as manifests and options say; `registry`: where callees are
- `envoy`, `envoy_rules`, `envoy_tls`: a whole Envoy; `templates`: nginx and Caddy; `proxy_command` prints them
- `endpoint`: the ASGI application that decides for a proxy; `authz_command` serves it
- `files`, `file_names`: a workload's credentials as files; `running`, `run_command`: a command with its sidecar
"""
