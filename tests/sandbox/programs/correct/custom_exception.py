# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "10\n50\n30\n", "expected": "balance 10\nshort by 40: OverdrawnError\nbalance 40\ndone\n"}
class BankError(Exception):
    """Any fault of an account."""


class OverdrawnError(BankError):
    def __init__(self, missing):
        super().__init__(f"short by {missing}")
        self.missing = missing


class Account:
    def __init__(self):
        self.balance = 0

    def add(self, amount):
        self.balance += amount

    def take(self, amount):
        if amount > self.balance:
            raise OverdrawnError(amount - self.balance)
        self.balance -= amount


account = Account()
try:
    account.add(int(input()))
    print("balance", account.balance)
    try:
        account.take(int(input()))
    except BankError as error:
        print(f"{error}: {type(error).__name__}")
        account.add(int(input()))
    else:
        print("unreachable")
    print("balance", account.balance)
finally:
    print("done")
