# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "[0, 1, 4]\nlate\n"}
import asyncio


async def square(x):
    await asyncio.sleep(0.01 * (3 - x))
    return x * x


async def main():
    n = int(input())
    print(await asyncio.gather(*(square(i) for i in range(n))))
    try:
        await asyncio.wait_for(asyncio.sleep(10), timeout=0.02)
    except asyncio.TimeoutError:
        print("late")


asyncio.run(main())
