"""A FastAPI service that knows nothing of us; its own telemetry is turned on by the environment."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/api/stock")
def stock() -> dict[str, int]:
    return {"apples": 3}
