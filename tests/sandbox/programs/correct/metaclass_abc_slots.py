# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "['Dog', 'Cat']\nwoof abstract\nno new attribute\nDog: 1 2 3 True\n"}
from abc import ABC, ABCMeta, abstractmethod


class Registry(ABCMeta):
    names = []

    def __new__(mcs, name, bases, body, **keywords):
        if bases:
            mcs.names.append(name)
        return super().__new__(mcs, name, bases, body)


class Animal(metaclass=Registry):
    __slots__ = ("age",)

    @abstractmethod
    def sound(self): ...


class Dog(Animal):
    __slots__ = ()

    def sound(self):
        return "woof"

    def __iter__(self):
        yield from (1, 2, 3)

    def __contains__(self, item):
        return item == 9


class Cat(Animal):
    pass


class Old(ABC):
    pass


print(Registry.names)
try:
    Cat()
except TypeError as error:
    print(Dog().sound(), "abstract" if "abstract" in str(error) else error)
dog = Dog()
dog.age = 3
try:
    dog.nme = 1
except AttributeError:
    print("no new attribute")
print("Dog:", *dog, 9 in dog)
