# SPDX-License-Identifier: Apache-2.0
"""complete.py DIR SHELL [ARGUMENT]... -- types into an interactive shell, in a terminal of its own, as a person would: first
`. DIR/setup`, which makes the file DIR/ready, then each line of standard input, where \\t is the TAB key. What a line runs writes one
line into DIR/ran; these are printed. A line that brings none within 60 s: `TIMEOUT`, and what the terminal showed on standard error."""
import os
import pty
import select
import sys
import time


class Shell:
    def __init__(self, command):
        self.shown = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(command[0], command)

    def type(self, keys):
        os.write(self.terminal, keys.encode() + b"\r")

    def await_(self, is_done):
        """A terminal that nobody reads would stop the shell."""
        end = time.monotonic() + 60
        while not is_done() and time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.02)[0]:
                shown = os.read(self.terminal, 65536)
                self.shown += shown
                if b"\x1b[c" in shown or b"\x1b[0c" in shown:
                    os.write(self.terminal, b"\x1b[?62c")  # newer fish waits to be told what it is in
        return is_done()


def lines_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def main():
    folder = sys.argv[1]
    ran = folder + "/ran"
    shell = Shell(sys.argv[2:])
    shell.type(f". {folder}/setup")
    well = shell.await_(lambda: os.path.exists(folder + "/ready"))
    for line in sys.stdin if well else ():
        before = len(lines_of(ran))
        shell.type(line.rstrip("\n").replace("\\t", "\t"))
        if not shell.await_(lambda: len(lines_of(ran)) > before):
            well = False
            break
        print(lines_of(ran)[before])
    if not well:
        print("TIMEOUT")
        sys.stderr.buffer.write(shell.shown[-4000:] + b"\n")
    os.kill(shell.pid, 9)
    os.waitpid(shell.pid, 0)
    return not well


sys.exit(main())
