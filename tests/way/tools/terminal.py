# SPDX-License-Identifier: Apache-2.0
"""terminal.py COLUMNSxLINES COMMAND... -- runs the command in a terminal of its own, as a person would, and copies what it
prints to standard output. SIGUSR1 types Ctrl-C. Ends with the command's status."""
import fcntl
import os
import pty
import signal
import struct
import sys
import termios


def main():
    columns, lines = (int(n) for n in sys.argv[1].split("x"))
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        for each in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(each, signal.SIG_DFL)
        os.execvp(sys.argv[2], sys.argv[2:])
    signal.signal(signal.SIGUSR1, lambda *_: os.write(terminal, b"\x03"))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        os.write(1, data.replace(b"\r\n", b"\n"))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) & 0xff


sys.exit(main())
