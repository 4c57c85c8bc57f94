#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 01-failures.sh -- a way test that should fail does fail: lib.sh and tests/summary are tried with tests made to go wrong, over a
# stand-in program
. "${0%/*}/lib.sh"

mkdir "$T/build"
cat >"$T/build/headgate" <<'END'
#!/usr/bin/env python3
import os, signal, socket, sys
def say(text):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ.get("FAKE_STATUS", "0"))))
signal.signal(signal.SIGHUP, lambda *_: (say("RELOADING=1\nMONOTONIC_USEC=1"), say("READY=1")))
print('lvl=info mod=listeners msg="listening" name=public addr=127.0.0.1:4318', file=sys.stderr)
print(os.environ.get("FAKE_LINE", ""), file=sys.stderr, flush=True)
if "FAKE_REFUSES" in os.environ:
    sys.exit(78)
say("READY=1\nSTATUS=up")
while True:
    signal.pause()
END
chmod +x "$T/build/headgate"

# try SCRIPT [VARIABLE=VALUE]...: runs it as a way test; its TAP is in TAP, its exit status in STATUS, the summary in SUM
try()
{
	printf '#!/bin/bash\n. "%s/lib.sh"\n%s\n' "$WAY" "$1" >"$T/99-tried.sh"
	shift
	TAP=$(env TMPDIR="$T" HEADGATE_BUILD="$T/build" REQUIRE= "$@" bash "$T/99-tried.sh" 2>/dev/null)
	STATUS=$?
	echo "$TAP" >"$T/99-tried.tap"
	SUM=$(REQUIRE='' "$ROOT/tests/summary" "$T/99-tried.tap" | tail -n 1)
}

try 'is "equal" 1 1; finish'
is "what is right passes" "$STATUS $SUM" "0 1 passed, 0 failed"
try 'is "equal" 1 2; ok "false" false; like "like" abc "^b"; finish'
is "what is wrong fails" "$STATUS $SUM" "1 0 passed, 3 failed"
like "and the summary says why" "$("$ROOT/tests/summary" "$T/99-tried.tap")" $'equal\n    #? *got: *1\n[^\n]*want: *2\nFAILED'
try 'is "equal" 1 1'
is "a test without its end fails" "$STATUS $SUM" "1 1 passed, 1 failed"
try 'is "equal" 1 1; : "$no_such_variable"; finish'
is "so does one with an unset variable" "$STATUS $SUM" "1 1 passed, 1 failed"
try 'finish'
is "and one that checks nothing" "$STATUS $SUM" "1 0 passed, 1 failed"
try 'x=$(bail "cannot"); is "equal" 1 1; finish'
like "bail ends the test from a subshell too" "$STATUS $SUM $TAP" '^1 0 passed, 1 failed.*cannot'
try 'kill -KILL $$; finish'
is "a killed one fails for want of a plan" "$SUM" "0 passed, 1 failed"
try 'skip "this one" "no reason"; pass "another"; finish'
is "a skip is told" "$STATUS $SUM" "0 1 passed, 0 failed, 1 skipped"
try 'skip "this one" "no reason"; finish' REQUIRE=all
is "unless nothing may be skipped" "$STATUS $SUM" "1 0 passed, 1 failed"
try 'need postgres; pass "it is there"; finish' PG_BIN=/nowhere WAY_PG_PORT=
like "a test without its server is skipped by name" "$STATUS $TAP" '^0 1\.\.0 # SKIP needs postgres'
try 'need postgres; pass "it is there"; finish' PG_BIN=/nowhere WAY_PG_PORT= REQUIRE=all
is "unless nothing may be skipped" "$STATUS $SUM" "1 0 passed, 1 failed"

started='conf_base file discard; headgate_start; echo "pid $HG_PID" >&3'
try "$started; is address \"\$URL\" http://127.0.0.1:4318; ok reload headgate_reload; ok told notify RELOADING; finish"
is "a program is started, reloaded, stopped" "$STATUS $SUM" "0 4 passed, 0 failed"
ok "nothing of it is left" gone "$(sed -n 's/^pid //p' <<<"$TAP")"
try "$started; pass one" 'FAKE_LINE=lvl=warn mod=x msg=fine'
ok "nor after a test that broke off" wait_until 10s gone "$(sed -n 's/^pid //p' <<<"$TAP")"
try "$started; kill -KILL \$\$"
ok "nor after one that was killed" wait_until 10s gone "$(sed -n 's/^pid //p' <<<"$TAP")"
try "$started; finish" 'FAKE_LINE=lvl=err mod=x msg="a fault"'
like "an error nobody announced fails the test" "$STATUS $SUM $TAP" '^1 0 passed, 1 failed.*a fault'
try "$started; expect_err 'msg=\"a fault\"'; finish" 'FAKE_LINE=lvl=err mod=x msg="a fault"'
is "an announced one does not" "$STATUS $SUM" "0 1 passed, 0 failed"
try "$started; finish" 'FAKE_LINE===7==ERROR: AddressSanitizer: heap-use-after-free'
is "a sanitizer report fails the test" "$STATUS $SUM" "1 0 passed, 1 failed"
try "$started; finish" 'FAKE_LINE=a.c:1:2: runtime error: shift'
is "one of UBSan too" "$STATUS $SUM" "1 0 passed, 1 failed"
try "$started; mkdir \"\$T/other\"; echo 'panic: runtime error: of a client' >\"\$T/other/log\"; WAY_FOREIGN[\$T/other]=yes; finish"
is "words of another program do not" "$STATUS $SUM" "0 1 passed, 0 failed"
try "$started; finish" FAKE_STATUS=3
is "so does a status that is not 0" "$STATUS $SUM" "1 1 passed, 1 failed"
try "$started; finish" FAKE_REFUSES=1
like "a program that does not start fails the test with its status" "$STATUS $TAP" '^1 not ok 1.*status 78'

printf '1..3\nok 1 - a\n' >"$T/99-tried.tap"
is "fewer results than planned are a failure" "$("$ROOT/tests/summary" "$T/99-tried.tap" | tail -n 1)" "1 passed, 1 failed"
printf 'TAP version 13\n1..2\n# Criterion v2.4.1\nok - a::b  (0.00s)\nnot ok - a::c unexpected signal\n' >"$T/99-tried.tap"
is "Criterion's form is understood" "$("$ROOT/tests/summary" "$T/99-tried.tap" | tail -n 1)" "1 passed, 1 failed"
finish
