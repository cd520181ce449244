# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What verl's rollout does not pass on to rewards: why the rollout engine ended a response."""
