# SPDX-License-Identifier: GPL-2.0
"""What happened to operations, told and drawn from a recording of tracepoints."""


class Lacking(Exception):
    """Something that is needed is not there."""
