# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
