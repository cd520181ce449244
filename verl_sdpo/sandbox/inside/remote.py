# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The tests' side of the connection to a program: functions that are called over there, on plain data."""

import builtins
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from calls import CALLABLE, ITERABLE, ITERATOR, TRUE
from codec import DecodingError, EncodingError, Reader, Token, Writer
from explain import short_repr, shortened
from wire import Closed, Malformed, Overdue, Stream
from write_back import write_back

MAX_ITERATED = 1_000_000
_LONGEST_BATCH = 1024
# The type of each kind of result, or those of its parts; None: any.
_RESULTS = {"value": None, "error": [str, list, tuple, str], "uncarried": str}


class Fault(BaseException):
    """The program did what ends its tests. Not an Exception, so that tests which catch those do not catch it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Connection:
    """Calls a program's functions.

    Attributes:
        num_calls: how many calls were sent.
        fault: what ended the connection, which stays so even where a test catches it; None while it is open.
        error: the last exception that the program raised, as it was raised here; ``traceback`` is its traceback there.
        value: what the last call returned.
    """

    def __init__(self, read_from: int, write_to: int, deadline: float) -> None:
        self.num_calls = 0
        self.fault: Fault | None = None
        self.error: BaseException | None = None
        self.traceback = ""
        self.value: Any = None
        self._stream = Stream(read_from, write_to, deadline)
        self._number = 0
        self._last_call: tuple[str, bytes] | None = None

    def callables(self, names: Iterable[str]) -> list[str]:
        """Those of the names that the program can be called by.

        Raises:
            Fault: the program is gone, or does not answer as it must.
            BaseException: what loading it raised.
        """
        found = self.request("names", list(names))
        if type(found) is not list or any(type(name) is not str for name in found):
            raise self._end("protocol", "the answer is no list of names")
        return found

    def function(self, name: str) -> Callable[..., Any]:
        """The program's function of that name."""

        def call(*args: Any, **kwargs: Any) -> Any:
            return self.call(name, name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call

    def call(self, name: str, target: str | int, args: tuple, kwargs: dict[str, Any]) -> Any:
        """What the program's function returns, or raises; arguments that it changes are changed."""
        self.value = self.request("call", target, args, kwargs, shown_as=name)
        return self.value

    def last_call(self, limit: int) -> str:
        """The last call as source, with its arguments as they were before it, in about ``limit`` characters."""
        if self._last_call is None:
            return ""
        name, message = self._last_call
        reader = Reader(message, self._object)
        _, _, _, num_positional, names = (reader.read() for _ in range(5))
        shown = [short_repr(reader.read(), limit) for _ in range(num_positional)]
        shown += [f"{keyword}={short_repr(reader.read(), limit)}" for keyword in names]
        return f"{name}({', '.join(shown)})"

    def request(
        self, operation: str, target: Any, args: tuple = (), kwargs: dict[str, Any] | None = None, shown_as: str = ""
    ) -> Any:
        """One request and its answer; see ``calls``."""
        if self.fault is not None:
            raise self.fault
        self._number += 1
        kwargs = kwargs or {}
        writer = Writer(_token_of)
        for value in (self._number, operation, target, len(args), tuple(kwargs), *args, *kwargs.values()):
            writer.write(value)
        message = bytes(writer.out)
        if operation == "call":
            self.num_calls += 1
            self._last_call = (shown_as, message)
        try:
            self._stream.send(message)
            kind, result = self._read(self._stream.receive(), [*args, *kwargs.values()])
        except Closed:
            raise self._end("gone", "the program ended before its tests did") from None
        except Overdue:
            raise self._end("time_limit", "the program did not answer in time") from None
        except (Malformed, DecodingError) as error:
            raise self._end("protocol", f"the program's answer cannot be read: {error}") from None
        if kind == "error":
            raise self._raised(*result)
        if kind == "uncarried":
            raise self._end("uncarried", f"the program's value cannot be carried: {shortened(result, 500)}")
        return result

    def _read(self, answer: bytes, arguments: list) -> tuple[str, Any]:
        """Kind and result of an answer, whose changed arguments are put in place."""
        reader = Reader(answer, self._object)
        number, kind, changed = (reader.read() for _ in range(3))
        if type(number) is not int or number != self._number or type(kind) is not str or kind not in _RESULTS:
            raise DecodingError("not the answer to this request")
        if type(changed) is not tuple or any(type(i) is not int or not 0 <= i < len(arguments) for i in changed):
            raise DecodingError("changed arguments that were not passed")
        values = [reader.read() for _ in changed]
        result = reader.read()
        reader.expect_end()
        parts = [type(part) for part in result] if type(result) is tuple else type(result)
        if _RESULTS[kind] not in (None, parts):
            raise DecodingError("not the result of its kind")
        for i, value in zip(changed, values):
            write_back(arguments[i], value)
        return kind, result

    def _raised(self, type_name: str, kinds: list[str], arguments: tuple, traceback: str) -> BaseException:
        """The program's exception as the nearest built-in one."""
        for kind in (*(getattr(builtins, str(name), None) for name in kinds), Exception):
            if isinstance(kind, type) and issubclass(kind, BaseException):
                try:
                    self.error = kind(*arguments)
                    break
                except Exception:  # e.g. UnicodeDecodeError made of one text
                    continue
        self.traceback = traceback or type_name
        return self.error

    def _end(self, kind: str, text: str) -> Fault:
        self.fault = Fault(kind, text)
        return self.fault

    def _object(self, token: Token) -> "Opaque":
        for flag, kind in ((CALLABLE, OpaqueFunction), (ITERATOR, OpaqueIterator), (ITERABLE, OpaqueIterable)):
            if token.flags & flag:
                return kind(self, token)
        return Opaque(self, token)


class Opaque:
    """An object of the program's that has no value here: equal to itself only, true or false as it is there.

    It has no attributes: a method that tests call on it would be the program's judgement of itself.
    """

    def __init__(self, connection: Connection, token: Token) -> None:
        self._connection = connection
        self._token = token

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other._token.number == self._token.number

    def __hash__(self) -> int:
        return hash(self._token.number)

    def __bool__(self) -> bool:
        return bool(self._token.flags & TRUE)

    def __repr__(self) -> str:
        return self._token.text


class OpaqueFunction(Opaque):
    """A function or class of the program's."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._connection.call(self._token.type_name, self._token.number, args, kwargs)


class OpaqueIterable(Opaque):
    """What can be iterated there."""

    def __iter__(self) -> Any:
        return iter(self._connection.request("iter", self._token.number))


class OpaqueIterator(Opaque):
    """An iterator there, e.g. a generator; its items come in batches."""

    def __init__(self, connection: Connection, token: Token) -> None:
        super().__init__(connection, token)
        self._items: deque = deque()
        self._has_ended = False
        self._num_items = 0
        self._batch = 1

    def __iter__(self) -> "OpaqueIterator":
        return self

    def __next__(self) -> Any:
        if not self._items and not self._has_ended:
            self._fetch()
        if not self._items:
            raise StopIteration
        return self._items.popleft()

    def _fetch(self) -> None:
        answer = self._connection.request("next", self._token.number, (self._batch,))
        if type(answer) is not tuple or [type(part) for part in answer] != [list, bool]:
            raise self._connection._end("protocol", "an iterator's items are no list")
        self._items.extend(answer[0])
        self._has_ended = answer[1] or not answer[0]
        self._num_items += len(answer[0])
        self._batch = min(2 * self._batch, _LONGEST_BATCH)
        if self._num_items > MAX_ITERATED:
            raise self._connection._end("uncarried", f"an iterator of more than {MAX_ITERATED:,} items")


def _token_of(value: Any) -> Token:
    if isinstance(value, Opaque):
        return value._token
    raise EncodingError(f"an argument of type {type(value).__name__} cannot be passed to the program")
