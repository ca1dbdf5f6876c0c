"""Cached scores as ORES answered them: one Redis entry a score, Flask, synchronous workers under gunicorn.

Not ORES's code, which no Python of today runs: the work that its v3 look-up does for a revision whose scores
are all cached. ``python ores_way.py PORT ROWS MODEL…`` fills a Redis. Gunicorn loads ``ores_way:app``, to
which ``REDIS_PORT`` and ``MODELS``, joined by commas, tell the rest. It runs in an environment of its own.
"""

import json
import os
import random
import sys

import redis
from flask import Flask, Response, request

VERSION = "1.0.0"
CONTEXT = "enwiki"

app = Flask(__name__)
app.url_map.strict_slashes = False
models = os.environ.get("MODELS", "").split(",")
store = redis.Redis(port=int(os.environ.get("REDIS_PORT", "0")))


def key(model: str, rev_id: int) -> str:
    """Return the key of one score."""
    return f"ores:{CONTEXT}:{model}:{rev_id}:{VERSION}"


@app.get("/v3/scores/<context>/<int:rev_id>/")
def scores(context: str, rev_id: int) -> Response:
    """Answer about one revision by the models asked for, by default all."""
    asked = request.args.get("models", "|".join(models)).split("|")
    found = {}
    for model in asked:
        cached = store.get(key(model, rev_id))
        found[model] = {"score": json.loads(cached)} if cached else {"error": {"type": "NotCached"}}
    document = {
        context: {
            "models": {model: {"version": VERSION} for model in asked},
            "scores": {str(rev_id): found},
        }
    }
    is_compact = request.args.get("format") == "json"
    body = json.dumps(document) if is_compact else json.dumps(document, indent=2)
    response = Response(body, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store, no-cache, max-age=0"
    response.headers["Pragma"] = "no-cache"
    response.headers["Expires"] = "Thu, 01 Jan 1970 00:00:00 GMT"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def fill(port: int, rows: int, names: list[str]) -> None:
    """Put a score of each model for each revision into a Redis."""
    pipe = redis.Redis(port=port).pipeline()
    for rev_id in range(1, rows + 1):
        for name in names:
            true = random.random()
            score = {"prediction": true > 0.5, "probability": {"false": 1 - true, "true": true}}
            pipe.set(key(name, rev_id), json.dumps(score))
    pipe.execute()


if __name__ == "__main__":
    fill(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
