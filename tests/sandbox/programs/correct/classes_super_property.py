# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 4\n", "expected": "12 square 16\nShape 2\nfrom_text 25\nno setter\n"}
class Shape:
    count = 0

    def __init__(self, name="shape"):
        self._name = name
        type(self).count += 1
        Shape.total = getattr(Shape, "total", 0) + 1

    @property
    def name(self):
        return self._name

    @staticmethod
    def product(*numbers):
        result = 1
        for number in numbers:
            result *= number
        return result

    @classmethod
    def from_text(cls, text):
        return cls(*map(int, text.split()))


class Rectangle(Shape):
    def __init__(self, w, h):
        super().__init__("rectangle")
        self.w, self.h = w, h

    @property
    def area(self):
        return self.product(self.w, self.h)


class Square(Rectangle):
    def __init__(self, side):
        super(Square, self).__init__(side, side)
        self._name = "square"


r, s = Rectangle.from_text(input()), Square(4)
print(r.area, s.name, s.area)
print(Square.__mro__[-2].__name__, Shape.total)
print("from_text", Square.from_text("5").area)
try:
    r.area = 3
except AttributeError:
    print("no setter")
