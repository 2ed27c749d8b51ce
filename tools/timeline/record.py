# SPDX-License-Identifier: GPL-2.0
"""Recording: record.sh does it, here or in the throwaway machine of vm/run."""

import os
import shutil
import subprocess
import tempfile

from . import Lacking

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SCRIPT = os.path.join(HERE, "record.sh")

LIFE = "300"            # seconds, of the machine
# As race/check has it: a processor for each actor, and one for the rest.
RACE_MACHINE = ["--smp", "5", "--append", "isolcpus=1-4 irqaffinity=0"]



def _here(output, command, buffer):
    """On the running machine."""
    return subprocess.call([SCRIPT, output] + command,
                           env={**os.environ, "BUFFER_KB": str(buffer)})


def _in_machine(args, command, options, environ=None):
    """In the machine, whose /out comes back."""
    with tempfile.TemporaryDirectory(prefix="cio-timeline.") as out:
        code = subprocess.call(
            [os.path.join(TOP, "vm", "run"), "--out", out, "--live", "--timeout", LIFE] + options +
            ["--add", f"{SCRIPT}:/bin/record", "--", "env", f"BUFFER_KB={args.buffer}",
             "record", "/out/timeline.trace"] + command,
            env={**os.environ, **(environ or {})})
        made = os.path.join(out, "files", "timeline.trace")
        if not os.path.exists(made) or not os.path.getsize(made):
            raise Lacking(f"the machine recorded nothing (exit code {code})")
        shutil.copyfile(made, args.output)
    return code


def _add_program(command):
    """The command's own program goes along when it is a file here."""
    program = command[0]
    if "/" not in program or not os.path.isfile(program):
        return command, []
    inside = "/bin/" + os.path.basename(program)
    return [inside] + command[1:], ["--add", f"{program}:{inside}"]


def _tool(*command):
    """The last line that one of our tools prints."""
    done = subprocess.run([os.path.join(TOP, command[0]), *command[1:]], stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        raise Lacking(f"{' '.join(command)} failed")
    return done.stdout.split("\n")[-2]


def _script_for(name, engine, copy):
    """A race script that is played on the one engine alone."""
    path = os.path.join(TOP, "race", f"{name}.race")
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        raise Lacking(f"no race script is called {name}") from None
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["engine"]:
            if engine not in words[1:]:
                raise Lacking(f"{name} is played on {' '.join(words[1:])} only")
            text = text.replace(line, f"# {line}", 1)
    with open(copy, "w", encoding="utf-8") as stream:
        stream.write(f"engine {engine}\n{text}")


def _kernel(args):
    """The options of vm/run, and the name for vm/module."""
    if args.kdir:
        path = os.path.realpath(args.kdir) + "/"
        return ["--kdir", path], path
    return ["--kernel", args.kernel or "6.12"], args.kernel or "6.12"


def _race(args):
    on_kernel, kernel = _kernel(args)
    module = _tool("vm/module", kernel, "--debug")
    player = os.path.join(TOP, "build", "timeline", "player")
    subprocess.run(["make", "-s", "-C", os.path.join(TOP, "race"), f"O={player}"], check=True)
    with tempfile.TemporaryDirectory(prefix="cio-timeline.") as scripts:
        _script_for(args.race, args.engine, os.path.join(scripts, f"{args.race}.race"))
        options = on_kernel + RACE_MACHINE + \
            ["--add", f"{player}/race:/bin/race", "--add", f"{scripts}:/scripts"]
        return _in_machine(args, ["race", "-v", f"/scripts/{args.race}"], options,
                           {"CANCELIO_KO": module})


def record(args, command):
    """Record, and return the command's exit code."""
    if bool(args.race) == bool(command):
        raise Lacking("either a COMMAND after -- or --race NAME has to be given")
    if (args.race or args.machine) and not os.path.exists(os.path.join(TOP, "vm", "run")):
        raise Lacking("--machine and --race need the source tree of cancelio, and its cio-timeline")
    if args.race:
        return _race(args)
    if not args.machine:
        return _here(args.output, command, args.buffer)
    command, options = _add_program(command)
    for pair in args.add:
        options += ["--add", pair]
    return _in_machine(args, command, _kernel(args)[0] + options)
