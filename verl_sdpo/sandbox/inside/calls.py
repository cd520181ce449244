# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The program's side of its tests: answers calls of its functions until the tests close the connection.

A request is codec's values one after the other: number of the request, operation, target, number of positional
arguments, names of the others, arguments. An answer: number of the request, kind, indexes of the arguments that the
call changed, their values, then by kind

value       what was returned
error       name of the exception's type, names of the built-in types that it is one of, its arguments, its traceback
uncarried   a text: what was returned, or done to an argument, cannot be carried

Operations: ``names`` (which of the names in the target can be called), ``call`` (the target is a name, or the number
of a token), ``iter`` (of a token), ``next`` (of a token: at most so many items as the argument says, and whether these
are all).
"""

import builtins
from collections.abc import Callable, Mapping
from typing import Any

from codec import Reader, Token, Writer, encode
from explain import own_traceback, short_repr
from wire import MAX_MESSAGE, Closed, Stream

# Flags of a token.
TRUE, CALLABLE, ITERABLE, ITERATOR = 1, 2, 4, 8
MAX_TOKENS = 100_000
_REPR_LIMIT = 200
_ARGUMENTS_LIMIT = 10_000
# Arguments of other types can be changed.
_FIXED = {type(None), bool, int, float, complex, str, bytes, range}


def serve(
    namespace: Mapping[str, Any],
    read_from: int,
    write_to: int,
    failure: BaseException | None = None,
    files: tuple[str, ...] = ("solution.py",),
) -> None:
    """Serves the functions in ``namespace``, and the methods of its class ``Solution``.

    Args:
        failure: what loading the program raised, and so every request is answered with.
        files: names under which the program was compiled; tracebacks show these only.
    """
    stream, server = Stream(read_from, write_to), _Server(namespace, failure, files)
    while True:
        try:
            stream.send(server.answer(stream.receive()))
        except Closed:
            return


def find_function(namespace: Mapping[str, Any], name: str) -> Callable[..., Any]:
    """A program's function, or the method of its class ``Solution``, which is made without arguments.

    Raises:
        NameError: the program defines neither.
    """
    if not callable(namespace.get(name)) and hasattr(namespace.get("Solution"), name):
        return getattr(namespace["Solution"](), name)
    if name not in namespace:
        raise NameError(f"name {name!r} is not defined")
    return namespace[name]


class _Server:
    def __init__(self, namespace: Mapping[str, Any], failure: BaseException | None, files: tuple[str, ...]) -> None:
        self._namespace = namespace
        self._failure = failure
        self._files = files
        self._tokens: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        # What an iterator raised after items that were still to be sent.
        self._postponed: dict[int, BaseException] = {}

    def answer(self, request: bytes) -> bytes:
        reader = Reader(request, lambda token: self._tokens[token.number])
        number, operation, target, num_positional, names = (reader.read() for _ in range(5))
        arguments, sent = [], []
        for _ in range(num_positional + len(names)):
            start = reader.position
            arguments.append(reader.read())
            sent.append(request[start : reader.position])
        head = encode(number)
        try:
            try:
                if self._failure is not None:
                    raise self._failure
                named = dict(zip(names, arguments[num_positional:]))
                result = self._result(operation, target, arguments[:num_positional], named)
                kind = "value"
            except BaseException as error:
                kind, result = "error", self._told(error)
            answer = head + self._answer(kind, self._changed(arguments, sent), result)
            if len(answer) > MAX_MESSAGE:
                raise ValueError(f"a value of more than {MAX_MESSAGE:,} bytes")
            return answer
        except BaseException as error:
            return head + self._answer("uncarried", {}, f"{type(error).__name__}: {short_repr(str(error), 500)}")

    def _result(self, operation: str, target: Any, arguments: list, named: dict[str, Any]) -> Any:
        if operation == "names":
            return [name for name in target if self._has(name)]
        if operation == "iter":
            return iter(self._tokens[target])
        if operation == "next":
            return self._items(target, *arguments)
        function = self._tokens[target] if isinstance(target, int) else find_function(self._namespace, target)
        return function(*arguments, **named)

    def _answer(self, kind: str, changed: dict[int, bytes], result: Any) -> bytes:
        writer = Writer(self._keep)
        writer.write(kind)
        writer.write(tuple(changed))
        for value in changed.values():
            writer.out += value
        writer.write(result)
        return bytes(writer.out)

    def _changed(self, arguments: list, sent: list[bytes]) -> dict[int, bytes]:
        after = {i: encode(value, self._keep) for i, value in enumerate(arguments) if type(value) not in _FIXED}
        return {i: data for i, data in after.items() if data != sent[i]}

    def _has(self, name: str) -> bool:
        return callable(self._namespace.get(name)) or hasattr(self._namespace.get("Solution"), name)

    def _items(self, number: int, limit: int) -> tuple[list, bool]:
        """The next items of an iterator, at most ``limit``, and whether there are no more."""
        if number in self._postponed:
            raise self._postponed.pop(number)
        iterator, items = self._tokens[number], []
        try:
            while len(items) < limit:
                items.append(next(iterator))
        except StopIteration:
            return items, True
        except BaseException as error:
            if not items:
                raise
            self._postponed[number] = error
        return items, False

    def _keep(self, value: Any) -> Token:
        number = self._numbers.setdefault(id(value), len(self._numbers))
        if number >= MAX_TOKENS:
            raise ValueError(f"more than {MAX_TOKENS:,} objects that cannot be carried")
        self._tokens[number] = value  # and so its id stays its own
        try:
            flags = TRUE if value else 0
        except BaseException:
            flags = TRUE
        flags |= CALLABLE * callable(value)
        flags |= ITERABLE * hasattr(type(value), "__iter__") | ITERATOR * hasattr(type(value), "__next__")
        return Token(number, flags, type(value).__name__, short_repr(value, _REPR_LIMIT))

    def _told(self, error: BaseException) -> tuple:
        kinds = [kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind]
        arguments = error.args
        try:
            if len(encode(arguments)) > _ARGUMENTS_LIMIT:
                raise ValueError
        except Exception:
            arguments = tuple(short_repr(argument, _REPR_LIMIT) for argument in arguments[:5])
        return type(error).__name__, kinds, arguments, own_traceback(error, self._files)
