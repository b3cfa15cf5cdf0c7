"""What a controller process runs: reads orders from its input, a line of JSON each, and answers in kind.

Not a test module: `daemons.Controller` starts it, with the server and the namespace as arguments.
"""

import importlib
import importlib.util
import json
import sys

import taskpy


class Orders:
    """One method an order. A handle is kept for each task, so that it keeps its place in the outbox."""

    def __init__(self, client):
        self._client = client
        self._handles = {}

    def knows_the_code(self):
        return importlib.util.find_spec("steered") is not None

    def submit(self, name, *args, options=None, **kwargs):
        return self._started(self._client.options(**(options or {}))(name, *args, **kwargs))

    def submit_function(self, name, *args, options=None, **kwargs):
        function = getattr(importlib.import_module("steered"), name)
        return self._started(self._client.options(**(options or {}))(function, *args, **kwargs))

    def attach(self, id):
        self._handles[id] = self._client.attach(id)

    def send(self, id, data, **options):
        self._handle(id).send(data, **options)

    def send_many(self, id, messages):
        for message in messages:
            self._handle(id).send(message)

    def recv(self, id, **options):
        return self._handle(id).recv(**options)

    def recv_all(self, id):
        return list(self._handle(id))

    def stop(self, id, **options):
        return self._handle(id).stop(**options)

    def state(self, id):
        return self._handle(id).state

    def get(self, id, **options):
        return self._handle(id).get(**options)

    def exception(self, id):
        error = self._handle(id).exception
        return [type(error).__name__, str(error)]

    def _handle(self, id):
        return self._handles.setdefault(id, self._client.attach(id))

    def _started(self, handle):
        handle.start()
        self._handles[handle.id] = handle
        return handle.id


def main():
    url, namespace = sys.argv[1:]
    with taskpy.Client(url, namespace=namespace) as client:
        orders = Orders(client)
        for line in sys.stdin:
            verb, args, kwargs = json.loads(line)
            try:
                answer = ["returned", getattr(orders, verb)(*args, **kwargs)]
            except Exception as error:
                answer = ["raised", [type(error).__name__, str(error)]]
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
