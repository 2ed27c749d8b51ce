# SPDX-License-Identifier: GPL-2.0
"""What the demo has measured, as tables: for the terminal and for the manual."""

# Name in the figures, what it is.
PROMPT = [
    ("direct", "to nginx directly"),
    ("alone", "through the proxy, nobody else there"),
    ("alone-other", "meanwhile through another proxy"),
    ("reads", "beside 1000 that read 32 bytes each 10 s"),
    ("reads-other", "meanwhile through another proxy"),
    ("headers", "beside 1000 that send a header each 10 s"),
    ("headers-other", "meanwhile through another proxy"),
    ("body", "beside 1000 that send a body by bytes"),
    ("body-other", "meanwhile through another proxy"),
    ("after", "through the proxy, nobody else there again"),
    ("after-other", "meanwhile through another proxy"),
]
LATENCIES = ["p50", "p90", "p99", "max"]
REDIS = [("SET", "1 in flight", ""), ("GET", "1 in flight", ""),
         ("SET", "16 in flight", "-16"), ("GET", "16 in flight", "-16")]


def prompt_rows(figures):
    """What, latencies in us, requests in the time that was measured."""
    group = figures.get("prompt", {})
    return [[what] + [group.get(f"{name} {head}", "-") for head in LATENCIES + ["requests"]]
            for name, what in PROMPT]


def redis_rows(figures):
    """Requests per second, and the 99th percentile in ms, directly and through the proxy."""
    group = figures.get("redis", {})
    return [[f"{test}, {what}"] + [group.get(f"{way}{suffix} {test}{tail}", "-")
                                   for tail in ("", " p99") for way in ("direct", "proxy")]
            for test, what, suffix in REDIS]


PROMPT_HEADS = ["4 connections, wrk"] + LATENCIES + ["requests"]
REDIS_HEADS = ["50 connections", "direct", "proxy", "direct, p99", "proxy, p99"]


def shown(cell):
    return f"{cell:,}" if isinstance(cell, (int, float)) else cell
