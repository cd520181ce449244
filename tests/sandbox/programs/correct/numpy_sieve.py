# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1000000\n", "expected": "78498 999983\n", "needs": ["numpy"]}
import numpy

n = int(input())
sieve = numpy.ones(n + 1, dtype=bool)
sieve[:2] = False
for p in range(2, int(n**0.5) + 1):
    if sieve[p]:
        sieve[p * p :: p] = False
primes = numpy.flatnonzero(sieve)
print(len(primes), primes[-1])
