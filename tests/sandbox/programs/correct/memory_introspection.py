# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "True True\nNone gone\nTrue\n"}
import gc
import sys
import weakref


class Node:
    pass


node = Node()
node.self = node
gone = []
reference = weakref.ref(node)
weakref.finalize(node, gone.append, "gone")
print(sys.getsizeof([0] * 100) > sys.getsizeof([]), reference() is node)
del node
gc.collect()
print(reference(), *gone)
gc.disable()
gc.freeze()
print(sys.intern("a b") is sys.intern("a" + " b"))
