"""What stands at the server boundary, before any code of the service. Needs the extra `[shim]` (uvicorn, httptools)."""
