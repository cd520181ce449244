# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "\u017elu\u0165ou\u010dk\u00fd \u65e5\u672c\u8a9e \ud83d\ude00\n", "expected": "\ud83d\ude00 \u8a9e\u672c\u65e5 \u00fdk\u010duo\u0165ul\u017e\n9 3 1\n\u017dLU\u0164OU\u010cK\u00dd\n"}
import unicodedata

line = input()
print(line[::-1])
print(*map(len, line.split()))
print(unicodedata.normalize("NFC", unicodedata.normalize("NFD", line.split()[0])).upper())
