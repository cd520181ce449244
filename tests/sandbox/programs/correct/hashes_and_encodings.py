# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "abc\n", "expected": "900150983cd24fb0d6963f7d28e17f72\nba7816bf8f01cfea\nYWJj 616263 True\n3421780262\n"}
import base64
import binascii
import hashlib
import zlib

text = input().encode()
print(hashlib.md5(text).hexdigest())
print(hashlib.sha256(text).hexdigest()[:16])
print(base64.b64encode(text).decode(), binascii.hexlify(text).decode(), zlib.decompress(zlib.compress(text)) == text)
print(zlib.crc32(b"123456789"))
