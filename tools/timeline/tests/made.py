# SPDX-License-Identifier: GPL-2.0
"""Recordings that a test makes up, line by line, for what no small program shows at will."""

import os
import tempfile

NEVER = (1 << 63) - 1
HEADER = """# cio-timeline 1
# kernel: 6.12.0
# date: 2026-01-01T00:00:00Z
# command: made
# pid: 10
# exit: 0
# engine: {engine}
# clock: mono
# lost: cpu0 {lost}
# task: 10 made
# task: 12 other
# task: 20 peer
# lines: {lines}
"""


class Made:
    """Events at the times that are given, in us, by task 10 unless said otherwise."""

    def __init__(self, engine="poll", lost=0, ctx=0):
        self.engine = engine
        self.lost = lost
        self.ctx = ctx          # of our events from here on; 0: as from a module that has none
        self.lines = []

    def add(self, us, text, pid=10, cpu=0, flags="....."):
        task = "<idle>" if pid == 0 else "<...>"
        if self.ctx and text.startswith("cio_"):
            text += f" ctx={self.ctx}"
        self.lines.append(f"  {task}-{pid}  [{cpu:03}] {flags}  "
                          f"{us // 10**6}.{us % 10**6:06}: {text}")
        return self

    def irq(self, us, text, cpu=0):
        return self.add(us, text, pid=0, cpu=cpu, flags="d.h1.")

    def of(self, ctx):
        self.ctx = ctx
        return self

    def attach(self, us, conn=1, fd=3, cookie=""):
        names = f" cookie={cookie} inode=7" if cookie else ""
        return self.add(us, f"cio_attach: conn={conn} fd={fd}{names}")

    def submit(self, us, id=1, opcode="recv", length=64, conn=1, deadline=NEVER, flags=0, pid=10,
               msg_flags=0):
        more = f" msg_flags={msg_flags:#x}" if self.ctx else ""
        return self.add(us, f"cio_submit: conn={conn} id={id} {opcode} user_data=0 len={length} "
                            f"flags={flags:#x} deadline={deadline}{more}", pid)

    def attempt(self, us, id=1, ret=-11, moved=0, conn=1, pid=10):
        return self.add(us, f"cio_try: conn={conn} id={id} bytes={moved} ret={ret}", pid)

    def arm(self, us, id=1, side="read", conn=1, deadline=NEVER, side_deadline=NEVER, pid=10):
        return self.add(us, f"cio_arm: conn={conn} id={id} {side} deadline={deadline} "
                            f"side_deadline={side_deadline}", pid)

    def ready(self, us, side="read", conn=1, pid=20, flags="....."):
        """By the peer, unless said otherwise."""
        return self.add(us, f"cio_ready: conn={conn} {side}", pid, flags=flags)

    def worker(self, us, pid=11, engine=None):
        return self.add(us, f"cio_worker_start: owner=10 engine={engine or self.engine}", pid)

    def taken(self, us, id=1, conn=1, pid=10):
        return self.add(us, f"cio_run: conn={conn} id={id} pid={pid}", pid)

    def block(self, us, id=1, conn=1, pid=11):
        return self.add(us, f"cio_block: conn={conn} id={id} pid={pid}", pid)

    def wake(self, us, target=11, pid=20):
        """And the woken one runs in the next us."""
        self.add(us, f"sched_waking: comm=worker pid={target} prio=120", pid)
        return self.switch(us + 1, following=target)

    def switch(self, us, prev=0, state="S", following=0):
        return self.add(us, f"sched_switch: prev_comm=made prev_pid={prev} prev_prio=120 "
                            f"prev_state={state} ==> next_comm=made next_pid={following} "
                            "next_prio=120", prev, flags="d..2.")

    def waits(self, us, **about):
        """Submitted at us, tried and armed within 3 us."""
        op = {key: about[key] for key in ("id", "conn") if key in about}
        self.submit(us, **about)
        self.attempt(us + 1, **op)
        side = "write" if about.get("opcode") in ("send", "sendmsg") else "read"
        return self.arm(us + 2, side=side, deadline=about.get("deadline", NEVER), **op)

    def set_deadline(self, us, deadline, before=NEVER, side="read", conn=1, pid=10):
        return self.add(us, f"cio_deadline_set: conn={conn} {side} deadline={deadline} "
                            f"before={before}", pid)

    def complete(self, us, reason="done", error=0, moved=0, id=1, opcode="recv", which=0, late=0,
                 conn=1, pid=10, flags="....."):
        return self.add(us, f"cio_complete: conn={conn} id={id} {opcode} user_data=0 {reason} "
                            f"bytes={moved} error={error} which={which} late={late}", pid,
                        flags=flags)

    def reap(self, us, count=1, id=0, pid=10):
        return self.add(us, f"cio_reap: count={count} id={id}", pid)

    def data(self, us, size, conn_port=1000, pid=20, cookie=""):
        """Comes from the peer at port 2000, in its own context."""
        return self.add(us, f"tcp_probe: family=AF_INET src=127.0.0.1:{conn_port} "
                            f"dest=127.0.0.1:2000 mark=0x0 data_len={size} snd_nxt=0x1" +
                        (f" rcv_wnd=9 sock_cookie={cookie} skbaddr=0" if cookie else ""),
                        pid, flags="..s2.")

    def connects(self, us, conn_port=1000):
        """So that the next attached socket is known."""
        return self.add(us, "inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP "
                            f"sport={conn_port} dport=2000 saddr=127.0.0.1 daddr=127.0.0.1 "
                            "saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:127.0.0.1 "
                            "oldstate=TCP_SYN_SENT newstate=TCP_ESTABLISHED")

    def text(self):
        header = HEADER.format(engine=self.engine, lost=self.lost, lines=len(self.lines))
        return header + "".join(line + "\n" for line in self.lines)

    def write(self):
        """Into a file, whose path is returned."""
        handle, path = tempfile.mkstemp(prefix="cio-timeline.", suffix=".trace")
        with os.fdopen(handle, "w") as stream:
            stream.write(self.text())
        return path
