# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2024-02-27 2024-03-01\n", "expected": "3\nThursday\n29\n01/03/2024 00:00\n"}
import calendar
import datetime as dt
from datetime import date, timedelta

a, b = map(date.fromisoformat, input().split())
print((b - a).days)
print(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][(b - timedelta(days=1)).weekday()])
print(calendar.monthrange(2024, 2)[1])
print(dt.datetime(b.year, b.month, b.day).strftime("%d/%m/%Y %H:%M"))
assert dt.datetime.now().year >= 2024
