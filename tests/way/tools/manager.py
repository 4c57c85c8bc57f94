# SPDX-License-Identifier: Apache-2.0
"""manager.py DIR -- COMMAND... -- stands in for systemd's manager: starts one service and hears what it says (sd_notify).

In DIR:
  notify.sock   what NOTIFY_SOCKET names; only the main process is heard (NotifyAccess=main)
  notify.log    a line a message: seconds, then its assignments, tab between them; and what the manager itself does: START pid,
                EXIT status, WATCHDOG, REFUSED pid, FDSTORE name
  pid           of the main process, while it runs
  status        its exit status (128 + signal), once it has ended
--watchdog counts only the time that the manager itself was awake for: a machine that stood still is no service that did.
SIGTERM: passed on, and the manager ends with the service. SIGUSR1: the service is stopped and started again with the descriptors
that it stored (FDSTORE=1), as LISTEN_FDS. If the service ends by itself, so does the manager, with its status.
"""
import argparse
import array
import ctypes
import fcntl
import os
import pwd
import resource
import select
import signal
import socket
import struct
import sys
import time

FIRST_FD = 3
PR_SET_PDEATHSIG = 1
LOOK_S = 0.25  # so often the watchdog is looked after


class Manager:
    def __init__(self, options):
        self.options = options
        self.store = []  # (name, fd): listening sockets given at the start, and what the service stored
        self.pid = 0
        self.again = False
        self.last_sign = self.last_look = time.monotonic()
        self.log_file = open(self.path("notify.log"), "a", buffering=1, encoding="utf-8", errors="backslashreplace")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path("notify.sock"))
        os.chmod(self.path("notify.sock"), 0o777)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        for word in options.socket:
            self.store.append(self.listener(*word.split("=", 1)))

    def path(self, name):
        return os.path.join(self.options.dir, name)

    def log(self, *words):
        print(f"{time.monotonic():.6f}", *words, sep="\t", file=self.log_file)

    def listener(self, name, address):
        """A socket unit's socket: its address stands in the log, for the port may be 0."""
        host, port = address.rsplit(":", 1)
        link = socket.create_server((host, int(port)), backlog=4096)
        self.log("LISTEN", name, "%s:%d" % link.getsockname()[:2])
        return name, link.detach()

    def start(self):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become_service()
            except BaseException as failure:  # nothing of the manager may live on in the child
                os.write(2, f"manager.py: {failure}\n".encode())
                os._exit(127)
        self.last_sign = time.monotonic()
        self.log("START", self.pid)
        self.write("pid", self.pid)

    def write(self, name, text):
        with open(self.path(name + ".new"), "w", encoding="ascii") as file:
            print(text, file=file)
        os.rename(self.path(name + ".new"), self.path(name))

    def become_service(self):
        options = self.options
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        environment = dict(os.environ, NOTIFY_SOCKET=self.path("notify.sock"))
        if self.store:
            environment.update(LISTEN_FDS=str(len(self.store)), LISTEN_PID=str(os.getpid()),
                               LISTEN_FDNAMES=":".join(name for name, _ in self.store))
        if options.watchdog:
            environment.update(WATCHDOG_USEC=str(int(options.watchdog * 1_000_000)), WATCHDOG_PID=str(os.getpid()))
        if options.nofile:
            resource.setrlimit(resource.RLIMIT_NOFILE, (options.nofile, options.nofile))
        os.umask(options.umask)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, FIRST_FD + 1000) for _, fd in self.store]
        os.closerange(FIRST_FD, FIRST_FD + 1000)
        for i, fd in enumerate(high):
            os.dup2(fd, FIRST_FD + i, inheritable=True)
            os.close(fd)
        if options.user:
            user = pwd.getpwnam(options.user)
            os.initgroups(options.user, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        # After setuid, which would clear it.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execvpe(options.command[0], options.command, environment)

    def hear(self):
        data, ancillary, _, _ = self.notify.recvmsg(65536, socket.CMSG_SPACE(4 * 256) + socket.CMSG_SPACE(12))
        fds, sender = array.array("i"), 0
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(value[:len(value) - len(value) % 4])
            elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                sender = struct.unpack("3i", value[:12])[0]
        lines = data.decode("utf-8", "backslashreplace").rstrip("\n").split("\n")
        if sender != self.pid:
            self.log("REFUSED", sender, *lines)
            for fd in fds:
                os.close(fd)
            return
        self.log(*lines)
        said = dict(line.partition("=")[::2] for line in lines)
        if said.get("WATCHDOG") == "1":
            self.last_sign = time.monotonic()
        name = said.get("FDNAME", "stored")
        if said.get("FDSTOREREMOVE") == "1":
            for kept in [kept for kept in self.store if kept[0] == name]:
                self.store.remove(kept)
                os.close(kept[1])
        elif said.get("FDSTORE") == "1":
            for fd in fds:
                self.store.append((name, fd))
                self.log("FDSTORE", name)
            fds = []
        for fd in fds:
            os.close(fd)

    def reap(self):
        """The exit status of the service once it has ended, else None."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(status)
        code = 128 - code if code < 0 else code
        self.log("EXIT", code)
        os.unlink(self.path("pid"))
        return code

    def watch(self):
        now = time.monotonic()
        self.last_sign += max(0, now - self.last_look - 2 * LOOK_S)
        self.last_look = now
        if self.options.watchdog and time.monotonic() - self.last_sign > self.options.watchdog:
            self.log("WATCHDOG")
            os.kill(self.pid, signal.SIGABRT)
            self.last_sign = time.monotonic()

    def on_signal(self, number, _frame):
        if number in (signal.SIGTERM, signal.SIGUSR1):
            self.again = number == signal.SIGUSR1
            os.kill(self.pid, signal.SIGTERM)

    def run(self):
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        self.start()
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(number, self.on_signal)
        while True:
            ready, _, _ = select.select([self.notify, wake_read], [], [], LOOK_S if self.options.watchdog else None)
            if wake_read in ready:
                os.read(wake_read, 4096)
            while select.select([self.notify], [], [], 0)[0]:
                self.hear()
            status = self.reap()
            if status is not None and not self.again:
                self.write("status", status)
                return status
            if status is not None:
                self.again = False
                self.start()
            self.watch()


def main():
    words = argparse.ArgumentParser(prog="manager.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("dir")
    words.add_argument("--socket", action="append", default=[], metavar="NAME=HOST:PORT", help="a socket unit's socket, repeatable")
    words.add_argument("--watchdog", type=float, default=0, metavar="S", help="SIGABRT after so long without WATCHDOG=1")
    words.add_argument("--user", help="the unit's User=")
    words.add_argument("--umask", type=lambda text: int(text, 8), default=0o077)
    words.add_argument("--nofile", type=int, default=0)
    words.add_argument("command", nargs="+")
    sys.exit(Manager(words.parse_args()).run())


if __name__ == "__main__":
    main()
