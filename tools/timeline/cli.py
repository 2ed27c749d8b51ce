# SPDX-License-Identifier: GPL-2.0
"""The command line of cio-timeline."""

import argparse
import sys

from . import Lacking, chrome, page, record, sentences, trail
from .model import build
from .parse import Damaged, parse

EPILOG = """Exit codes: 0; 2 for a wrong command line, a damaged file, or something that is
lacking; record exits with the exit code of its command."""


def load(path):
    return trail.read(path) if trail.is_trail(path) else build(parse(path))


def warn_of_lost(run, path):
    lost = run.header.lost_events
    if lost:
        print(f"cio-timeline: {path}: {lost} events are lost, so this is not all that "
              "happened, and may be wrong", file=sys.stderr)


def do_why(args):
    run = load(args.file)
    warn_of_lost(run, args.file)
    for op in run.by_end + run.pending:
        when = f"{(op.t1 - run.t0) / 1e6:9.3f} ms" if op.ended else " " * 12
        print(f"{when}  {sentences.result(run, op)}")
        print(f"{'':12}  {sentences.course(run, op)}")
        if op.ended:
            print(f"{'':12}  {sentences.rule_words(op)}")
    return 0


def do_page(args):
    runs = [load(path) for path in [args.file] + ([args.file2] if args.file2 else [])]
    for run, path in zip(runs, (args.file, args.file2)):
        warn_of_lost(run, path)
    text = page.render(runs, args.title)
    with open(args.output, "w", encoding="utf-8") as stream:
        stream.write(text)
    return 0


def do_chrome(args):
    run = load(args.file)
    warn_of_lost(run, args.file)
    with open(args.output, "w", encoding="utf-8") as stream:
        chrome.write(run, stream)
    return 0


def do_record(args):
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    return record.record(args, command)


def parser():
    top = argparse.ArgumentParser(prog="cio-timeline", epilog=EPILOG,
                                  description="See why blocked operations came back.")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    cmd = commands.add_parser("record", help="run a command and record it")
    cmd.add_argument("-o", "--output", required=True, metavar="FILE")
    cmd.add_argument("--machine", action="store_true", help="in a throwaway machine")
    cmd.add_argument("--kernel", metavar="NAME", help="of the machine (6.12)")
    cmd.add_argument("--kdir", metavar="PATH", help="a built kernel tree, in its place")
    cmd.add_argument("--add", action="append", default=[], metavar="FILE:GUESTPATH",
                     help="a file that the command needs in the machine (repeat)")
    cmd.add_argument("--buffer", type=int, default=16384, metavar="KB",
                     help="for the events of each processor (16384)")
    cmd.add_argument("--race", metavar="NAME", help="a race script, in the machine, in place "
                     "of a command")
    cmd.add_argument("--engine", choices=("poll", "thread"), default="thread",
                     help="that a race script is played on (thread)")
    cmd.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND...")
    cmd.set_defaults(do=do_record)

    cmd = commands.add_parser("why", help="why each operation ended, as text")
    cmd.add_argument("file", help="a recording, or what model/trail printed")
    cmd.set_defaults(do=do_why)

    cmd = commands.add_parser("page", help="a page to look at, of one recording or two")
    cmd.add_argument("file")
    cmd.add_argument("file2", nargs="?")
    cmd.add_argument("-o", "--output", required=True, metavar="FILE.html")
    cmd.add_argument("--title", default="")
    cmd.set_defaults(do=do_page)

    cmd = commands.add_parser("chrome", help="a trace in Chrome's format, for Perfetto")
    cmd.add_argument("file")
    cmd.add_argument("-o", "--output", required=True, metavar="FILE.json")
    cmd.set_defaults(do=do_chrome)
    return top


def main(argv=None):
    args = parser().parse_args(argv)
    try:
        return args.do(args)
    except (Damaged, OSError, Lacking) as error:
        print(f"cio-timeline: {error}", file=sys.stderr)
        return 2
