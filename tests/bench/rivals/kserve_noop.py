"""A KServe server whose model does nothing: ``python kserve_noop.py PORT``, in an environment of its own."""

import sys

import kserve


class Nothing(kserve.Model):  # type: ignore[misc]  # of another environment
    """Answers with what stands here."""

    def __init__(self) -> None:
        super().__init__("nothing")
        self.ready = True

    async def predict(self, *_: object, **__: object) -> dict[str, object]:
        """Return the same for all."""
        return {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}


if __name__ == "__main__":
    server = kserve.ModelServer(
        http_port=int(sys.argv[1]),
        enable_grpc=False,
        workers=1,
    )
    server.start([Nothing()])
