# SPDX-License-Identifier: GPL-2.0
"""Which socket is whose: TCP's events name addresses, ours name connections.

Of most sockets both name a cookie: ours when it is attached, TCP's with what comes for it.
Where an older recording has none, what comes for a TCP socket that an operation waits for
makes its connection ready, or wakes the thread that sleeps for it, at once and in the same
context; a write's segments are delivered while it is tried; and a program that connects
attaches right after.  A socket for which none of this was seen stays unknown.
"""

from dataclasses import dataclass

CLOSING = {"TCP_CLOSE_WAIT": "fin", "TCP_LAST_ACK": "fin"}


@dataclass
class Arrival:
    """Something came for the socket with this pair of addresses."""
    t: int
    kind: str                   # data, fin or reset
    bytes: int
    local: str
    remote: str
    event: object

    @property
    def pair(self):
        return (self.local, self.remote)


def _address(host, host6, port):
    """As tcp_probe writes it."""
    if host != "0.0.0.0" or host6 in ("::ffff:0.0.0.0", "::"):
        return f"{host}:{port}"
    return f"[{host6}]:{port}"


def arrival_of(event):
    """What an event says that came for a socket, or None."""
    if event.name == "tcp_probe":
        return Arrival(event.t, "data", event.bytes, event.local, event.remote, event)
    if event.name == "tcp_receive_reset":
        kind = "reset"
    elif event.name == "inet_sock_set_state" and event.newstate in CLOSING and event.in_softirq:
        kind = "fin"
    else:
        return None
    return Arrival(event.t, kind, 0, _address(event.saddr, event.saddrv6, event.sport),
                   _address(event.daddr, event.daddrv6, event.dport), event)


class _Matcher:
    def __init__(self):
        self.pair_of = {}       # (conn, time of its attaching) -> pair; a conn as in its events
        self.cookie_of = {}     # the same -> cookie
        self.pair_with = {}     # cookie -> pair
        self.taken = set()
        self.attached = {}      # conn -> time of its attaching
        self.recent = {}        # processor -> pair that something came for just now
        self.connected = {}     # pid -> pair
        self.blocked = {}       # pid of a thread -> conn it sleeps for
        self.writing = {}       # pid -> conn of a write it tries

    def match(self, conn, pair):
        key = (conn, self.attached.get(conn))
        if pair and key not in self.pair_of and pair not in self.taken:
            self.pair_of[key] = pair
            self.taken.add(pair)

    def see(self, event):
        name = event.name
        arrival = arrival_of(event)
        if arrival:
            self.recent[event.cpu] = arrival.pair
            if event.cookie:
                self.pair_with[event.cookie] = arrival.pair
            if event.pid in self.writing:
                self.match(self.writing[event.pid], (arrival.remote, arrival.local))
        elif name == "sched_switch":
            self.recent.pop(event.cpu, None)
        elif name == "inet_sock_set_state":
            if event.newstate == "TCP_ESTABLISHED" and not event.in_softirq:
                self.connected[event.pid] = (
                    _address(event.saddr, event.saddrv6, event.sport),
                    _address(event.daddr, event.daddrv6, event.dport))
        elif name == "cio_attach":
            self.attached[event.whose] = event.t
            self.cookie_of[event.whose, event.t] = event.cookie
            self.match(event.whose, self.connected.pop(event.pid, None))
        elif name == "cio_ready":
            if event.in_softirq:
                self.match(event.whose, self.recent.get(event.cpu))
        elif name == "cio_block":
            self.blocked[event.runner] = event.whose
        elif name == "sched_waking":
            if event.in_softirq and event.target in self.blocked:
                self.match(self.blocked[event.target], self.recent.get(event.cpu))
        elif name == "cio_submit":
            if event.opcode in ("send", "sendmsg"):
                self.writing[event.pid] = event.whose
        elif name == "cio_run":
            self.blocked.pop(event.runner, None)
        elif name in ("cio_try", "cio_complete"):
            self.writing.pop(event.pid, None)


    def pairs(self):
        """What the cookies say, and of the rest what does not contradict them."""
        known = {key: self.pair_with[cookie] for key, cookie in self.cookie_of.items()
                 if cookie in self.pair_with}
        taken = set(known.values())
        return {key: pair for key, pair in self.pair_of.items() if pair not in taken} | known


def match_sockets(events):
    """{(conn, time of its attaching): (local, remote)} for what can be told."""
    matcher = _Matcher()
    for event in events:
        matcher.see(event)
    return matcher.pairs()
