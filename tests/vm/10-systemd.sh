#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 10-systemd.sh -- `make vm`: the package under a live systemd, what the stand-in of tests/way cannot show: it is active after install, and
# confined; reload; restart and upgrade under load; a broken file is not restarted in a loop; the watchdog; an OOM-killed worker; fields of the
# journal; logrotate; bad input in one clear line in the journal and on `systemctl status`; remove, purge (O9, O19, O22, O24, F58 in its long
# form). DEBIAN=13: another Debian than this one, with the packages of `make debian13`.
. "${0%/*}/../way/lib.sh"
. "${0%/*}/machine.sh"
need root
for each in mmdebstrap mke2fs qemu-system-x86_64; do command -v "$each" >/dev/null || skip_all "$each"; done

case ${DEBIAN-} in
'')	SUITE=$(. /etc/os-release && echo "$VERSION_CODENAME")
	machine_env env PACKAGE_JOBS=2 "$ROOT/tools/package" deb >"$T/packages" || bail "no packages"
	PACKAGES=$ROOT/build/packages HGLOAD=$ROOT/build/release/hgload ;;
13)	SUITE=trixie PACKAGES=$ROOT/build/debian13/packages HGLOAD=$ROOT/build/debian13/tree/build/release/hgload ;;
*)	bail "DEBIAN=13, or nothing" ;;
esac
DEB=$(find "$PACKAGES" -name 'headgate_*.deb')
[ -e "$DEB" ] || bail "no package in $PACKAGES"
machine_base "$SUITE" "$(dpkg-deb -f "$DEB" Depends | sed 's/|[^,]*//g; s/([^)]*)//g; s/ //g')" || bail "no machine"
mkdir "$T/give"
cp "$DEB" "$T/give/first.deb"
for each in 9.1.0 9.2.0; do "$ROOT/tests/life/repack" "$DEB" $each "$T/give/$each.deb"; done
otlp logs -o "$T/give/body"
certs
cp "$T/cert.pem" "$T/key.pem" "$HGLOAD" "$T/give"
machine_boot "$T"/give/* "$WAY/tools/knock.py"
note "$(guest 'uname -sr; systemctl --version | head -n 1; cat /etc/debian_version')"

# are SENTENCE COMMAND WANT [TIME]: what it says there is WANT
are() { is "$1" "$(guest "$2" "${4:-120s}")" "$3"; }
does() { ok "$1" guest "$2" "${3:-120s}"; }
# refused_for WHAT: it is down, and one line says why, with the command to run, in the journal since `mark` and on its status
refused_for()
{
	local run='headgate -t -c /etc/headgate/headgate.yaml'
	like "its status says why, with the command to run" "$(guest 'systemctl status headgate.service')" "Active: failed .*status=78.*Status: \"can't start: $1; run: $run\""
	like "so does one line of the journal" "$(guest 'until_ 10 said "^can.t start"; said "^can.t start"')" "^can't start err=\"$1\" run=\"$run\"\$"
}

# ---- install ----

does "it is installed" 'dpkg -i /given/first.deb' 300s
are "it is active by itself" 'systemctl is-active headgate.service' active
are "and enabled" 'systemctl is-enabled headgate.service' enabled
like "its status says so" "$(guest 'systemctl status headgate.service')" 'Active: active \(running\).*Status: "generation 1, [0-9]+/[0-9]+ workers ready"'
are "it is healthy" 'status $URL/health' 200
are "every write gets a 401" 'post' 401
are "workers are confined" 'for each in $(workers); do grep -E "^(Seccomp|NoNewPrivs):" /proc/$each/status; done | sort -u | xargs' 'NoNewPrivs: 1 Seccomp: 2'
are "the kernel has Landlock" 'tr , "\n" </sys/kernel/security/lsm | grep landlock' landlock
are "so the log has nothing to say of it" 'journalctl -u headgate -q -o cat -p warning | grep -iE "sandbox|landlock|seccomp"' ''
like "its exposure is 1.5 at most" "$(guest 'systemd-analyze security --no-pager headgate.service | tail -n 1')" 'Overall exposure level for headgate.service: (1\.[0-5]|0\.[0-9]) OK'
are "the control socket is for user and group" 'stat -c "%a %U %G" /run/headgate/control.sock' '660 headgate headgate'
are "a user outside the group gets one line and 77" 'setpriv --reuid nobody --regid nogroup --clear-groups headgatectl status 2>&1 | wc -l; echo ${PIPESTATUS[0]}' $'1\n77'
are "no failed unit is in the system" 'systemctl --failed --plain --no-legend' ''

# ---- the first record; the journal ----

does "a tenant is added, a token issued" 'headgatectl tenant add acme && TOKEN=$(umask 077; headgatectl token issue acme --wait | tee /srv/token)'
does "every worker knows it" 'until_ 10 serves'
does "a sample of every protocol is accepted" 'headgatectl send --all --token-file /srv/token'
like "and stored, with its tenant" "$(guest 'headgatectl cat -n 1')" '"tenant":"acme"'
like "the journal has our fields" "$(guest 'journalctl -u headgate -q -o export HEADGATE_MODULE=workers | grep -aE "^(PRIORITY|HEADGATE_|MESSAGE=)" | sort -u')" \
	'HEADGATE_GENERATION=1.*HEADGATE_MODULE=workers.*MESSAGE=worker ready.*PRIORITY=6'
does "a record of each refused write is there" 'until_ 10 sh -c "journalctl -q -o cat -t headgate | grep -q hg-credential"'

# ---- reload ----

does "an edit is reloaded" 'mark; echo "limits: {body: 8MiB}" >>/etc/headgate/headgate.yaml; systemctl reload headgate'
does "by another generation" 'until_ 10 said "generation 1 -> 2"'
does "a broken edit is refused: systemctl reload fails" 'mark; echo "listne: 1" >/etc/headgate/conf.d/10-mine.yaml; ! systemctl reload headgate'
does "the journal has the place" 'until_ 10 said "10-mine.yaml:1:1: error: unknown key .listne."'
like "the status says what to do" "$(guest 'systemctl status headgate')" 'Active: active.*Status: "[^"]*(reload|configuration)[^"]*"'
does "it serves" 'serves'

# ---- a bad configuration does not restart in a loop ----

does "a start with it fails" '! systemctl restart headgate'
are "by status 78, which systemd does not restart" 'until_ 10 test "$(show ActiveState)" = failed; show ExecMainStatus; show NRestarts' $'78\n0'
refused_for "/etc/headgate/conf.d/10-mine.yaml:1:1: error: unknown key 'listne'"
are "three seconds later it has not been tried again" 'sleep 3; show ActiveState; show NRestarts' $'failed\n0'
does "mended, it starts" 'rm /etc/headgate/conf.d/10-mine.yaml; systemctl reset-failed headgate; systemctl start headgate && until_ 10 serves'

# ---- a missing certificate ----

guest 'echo "listeners: [{name: public, listen: \"127.0.0.1:4318\"}, {name: tls, listen: \"127.0.0.1:443\", tls: {cert_file: /etc/headgate/cert.pem, key_file: /etc/headgate/secrets/key.pem}}]" >/etc/headgate/conf.d/30-tls.yaml
	install -m 640 -g headgate /given/key.pem /etc/headgate/secrets/' >/dev/null
does "a start without the certificate fails" 'mark; ! systemctl restart headgate && until_ 10 test "$(show ActiveState)" = failed'
refused_for "/etc/headgate/conf.d/30-tls.yaml:1:[0-9]+: error: can't read the file '/etc/headgate/cert.pem': No such file or directory"

# ---- a secret of somebody else ----

guest 'install -m 644 /given/cert.pem /etc/headgate/; chgrp root /etc/headgate/secrets/key.pem' >/dev/null
does "a start with a key of root's alone fails" 'mark; ! systemctl restart headgate && until_ 10 test "$(show ActiveState)" = failed'
refused_for "/etc/headgate/conf.d/30-tls.yaml:1:[0-9]+: error: can't read the file '/etc/headgate/secrets/key.pem': Permission denied"
like "the command tells what mends it" "$(guest 'headgate -t -c /etc/headgate/headgate.yaml')" 'help: chgrp headgate /etc/headgate/secrets/key.pem && chmod 640 /etc/headgate/secrets/key.pem'
does "run as it stands" 'eval "$(headgate -t 2>&1 | sed -n "s/^ *help: //p")"'
like "the check is content, though the service is down" "$(guest 'headgate -t')" 'configuration is good$'
does "the service starts, on a port below 1024 too" 'systemctl reset-failed headgate; systemctl start headgate && until_ 10 serves && [ "$(status -k https://127.0.0.1:443/health)" = 200 ]'
guest 'rm /etc/headgate/conf.d/30-tls.yaml /etc/headgate/cert.pem /etc/headgate/secrets/key.pem; systemctl reload headgate' >/dev/null

# ---- a full /var ----

says='generation [0-9]+, 2/2 workers ready, but the store is full and takes nothing: df -h /var/lib/headgate/local; headgate.yaml\(5\): local.max_bytes'
does "without room in /var it takes nothing" 'mark; fallocate -l "$(df --output=avail -B1 /var | tail -n 1)" /var/fill; until_ 60 answers 503'
like "the status says so, with what to run" "$(guest 'until_ 10 told full; systemctl status headgate.service')" "Active: active.*Status: \"$says\""
does "so does the journal" 'until_ 10 said "the store is full: 503, and nothing is dropped"'
does "a restart succeeds" 'mark; systemctl restart headgate && until_ 60 told full'
like "it says the same again" "$(guest 'systemctl status headgate.service')" "Active: active.*Status: \"$says\""
does "so does the journal" 'until_ 10 said "the store is full: 503, and nothing is dropped"'
are "a write is 503" 'post "$TOKEN"' 503
does "with room it stores again, by itself" 'rm /var/fill; until_ 60 serves && until_ 60 told "ready$"'

# ---- restart, crash and upgrade under load ----

does "clients knock" knock_begin 120s
before=$(guest master)
does "it is restarted twice under load" 'systemctl restart headgate && systemctl restart headgate' 300s
does "that is another process" "another $before"
like "nobody was refused, reset or told 503" "$(guest knock_end 120s)" '^[0-9]+ 200$'

before=$(guest master)
does "a worker killed is replaced" 'set -- $(workers); kill -KILL $1; until_ 20 sh -c "! kill -0 $1" && until_ 20 sh -c "[ \$(pgrep -P $(master) | wc -l) = $# ]"'
are "by the same master" master "$before"

# F58, its long form: through two upgrades, one over a broken file; beside who opens a connection each time, connections that are never idle,
# 20 requests a second.
does "clients knock, and one whose connections are never idle" 'knock_begin && load_begin' 120s
does "it is upgraded under load" 'dpkg --force-confdef --force-confold -i /given/9.1.0.deb' 300s
does "that is another process" "another $before"
are "it reports the new version" version 9.1.0
before=$(guest master)
like "an upgrade over a broken file says what is broken, and what to do" \
	"$(guest 'echo "listne: 1" >/etc/headgate/conf.d/10-mine.yaml; dpkg --force-confdef --force-confold -i /given/9.2.0.deb; echo status $?' 300s)" \
	"10-mine.yaml:1:1: error: unknown key 'listne'.*once it is mended: systemctl restart headgate.*status 0"
are "the old process goes on" master "$before"
are "as the old version" version 9.1.0
like "of who knocked, nobody was refused, reset or told 503" "$(guest knock_end 120s)" '^[0-9]+ 200$'
like "nor was any of those over connections that stay" "$(guest load_end 300s)" '"broken": 0, "unanswered": 0, "codes": \{"200": [0-9]+\}'
does "its workers, killed, are replaced" 'old=$(workers); kill -KILL $old; others() { [ "$(workers | grep -vxF "$old" | wc -l)" = 2 ]; }; until_ 60 others'
are "by those of the old version" 'for each in $(workers); do grep -qaF 9.1.0 /proc/$each/exe && echo old; done' $'old\nold'
does "which serve" 'until_ 20 serves'
does "mended, it is restarted as said" 'rm /etc/headgate/conf.d/10-mine.yaml; systemctl restart headgate'
are "by then it is the newest version" version 9.2.0

# ---- SIGHUP after SIGHUP (F57, its long form: a hundred, one a second) ----

does "clients knock, and one whose connections are never idle" 'knock_begin && load_begin' 120s
are "a hundred times the configuration is read anew; never are more than two generations there" 'hups 5; until_ 60 rests; before=$(rss); hups 95; echo $((most <= 4))' 1 900s
does "the last one was taken" 'until_ 60 rests'
like "its memory is what it was, within 5 %" "$(guest 'echo "$before KiB before, $(rss) KiB after, $most processes at most"; [ $(rss) -le $((before * 105 / 100)) ] && echo flat')" 'flat$'
like "of who knocked, nobody was refused, reset or told 503" "$(guest knock_end 120s)" '^[0-9]+ 200$'
like "nor was any of those over connections that stay" "$(guest load_end 300s)" '"broken": 0, "unanswered": 0, "codes": \{"200": [0-9]+\}'

# ---- the examples: a socket unit, no capability, no user but its own ----

does "the examples are put in place" 'examples=/usr/share/doc/headgate/examples units=/etc/systemd/system; mkdir -p $units/headgate.service.d
	cp $examples/private-users.conf $units/headgate.service.d/ && sed "s/0.0.0.0:443/127.0.0.1:443/" $examples/headgate.socket >$units/headgate.socket
	echo "listeners: [{name: public, listen: \"127.0.0.1:4318\"}, {name: low, listen: \"fd:public\"}]" >/etc/headgate/conf.d/30-socket.yaml
	systemctl daemon-reload; systemctl stop headgate && systemctl start headgate.socket'
are "the socket is there, the service is not" 'systemctl is-active headgate.socket headgate.service' $'active\ninactive'
does "the first connection starts it, and is served" '[ "$(status http://127.0.0.1:443/health)" = 200 ] && until_ 20 active && until_ 10 serves'
are "it has no capability" 'for each in $(master) $(workers); do grep -E "^Cap(Prm|Eff|Bnd):" /proc/$each/status; done | sort -u | xargs' \
	'CapBnd: 0000000000000000 CapEff: 0000000000000000 CapPrm: 0000000000000000'
does "and users of its own" '[ "$(readlink /proc/$(master)/ns/user)" != "$(readlink /proc/self/ns/user)" ]'
like "its exposure is 1.1 at most" "$(guest 'systemd-analyze security --no-pager headgate.service | tail -n 1')" 'Overall exposure level for headgate.service: (1\.[01]|0\.[0-9]) OK'
are "workers are confined as before" 'for each in $(workers); do grep -E "^(Seccomp|NoNewPrivs):" /proc/$each/status; done | sort -u | xargs' 'NoNewPrivs: 1 Seccomp: 2'
does "a restart keeps the socket" 'systemctl restart headgate && [ "$(status http://127.0.0.1:443/health)" = 200 ]'
does "without them it is as before" 'systemctl stop headgate.socket headgate; rm $units/headgate.socket $units/headgate.service.d/private-users.conf /etc/headgate/conf.d/30-socket.yaml
	systemctl daemon-reload; systemctl start headgate && until_ 10 serves'

if guest '[ "$(systemctl --version | sed -n "1s/systemd \([0-9]*\).*/\1/p")" -ge 253 ]' >/dev/null; then
	does "the example for systemd 253 and newer is put in place" 'cp $examples/notify-reload.conf $units/headgate.service.d/; systemctl daemon-reload; systemctl restart headgate && until_ 10 serves'
	are "systemd takes it" 'show Type' notify-reload
	are "systemctl reload waits for the reload" 'systemctl reload headgate; generation' 2
	does "of a broken file it does not fail, but the status tells" 'echo "listne: 1" >/etc/headgate/conf.d/10-mine.yaml; systemctl reload headgate && until_ 10 told "reload failed, generation 2 stays live: .*10-mine.yaml:1:1: error"'
	does "without it it is as before" 'rm /etc/headgate/conf.d/10-mine.yaml $units/headgate.service.d/notify-reload.conf; systemctl daemon-reload; systemctl restart headgate && until_ 10 serves'
fi

# ---- the watchdog ----

before=$(guest master)
does "a master that stands still is found out and replaced" "mark; kill -STOP $before; until_ 100 another $before && until_ 10 serves" 130s
does "by the watchdog" 'heard | grep -i "watchdog timeout"'
are "systemd restarted it once" 'show NRestarts' 1

# ---- a worker killed for its memory ----

before=$(guest master)
does "the kernel kills a worker for memory" 'mark; set -- $(workers); echo 1000 >/proc/$1/oom_score_adj; echo f >/proc/sysrq-trigger
	until_ 30 sh -c "! kill -0 $1" && heard -k | grep -E "Out of memory|oom-kill|Killed process $1"'
does "it is replaced" 'until_ 30 sh -c "[ \$(pgrep -P $(master) | wc -l) = $# ]" && until_ 10 serves'
are "the service went on" 'systemctl is-active headgate; master; show NRestarts' "active
$before
1"
does "systemd saw it" 'heard | grep -i "killed by the OOM killer"'
does "so did the master" 'until_ 10 said "worker ended unasked"'

# ---- logs are rotated ----

does "an audit file is configured" 'echo "log: {audit_file: /var/log/headgate/audit.log}" >/etc/headgate/conf.d/20-log.yaml; systemctl reload headgate; post; until_ 10 test -s /var/log/headgate/audit.log'
does "logrotate rotates it" 'first=$(stat -c %i /var/log/headgate/audit.log); logrotate -f /etc/logrotate.d/headgate'
does "the service goes on in a new file" 'audited() { post >/dev/null; [ -s /var/log/headgate/audit.log ] && [ "$(stat -c %i /var/log/headgate/audit.log)" != "$first" ]; }; until_ 20 audited'
are "for user and group" 'stat -c "%A %U" /var/log/headgate/audit.log | cut -c8-' '--- headgate'
guest 'rm /etc/headgate/conf.d/20-log.yaml; systemctl reload headgate' >/dev/null

# ---- remove, purge ----

does "it is removed" 'dpkg -r headgate' 300s
are "it has ended, its state stays" 'systemctl is-active headgate; ls /var/lib/headgate/local | grep -c "db$" | sed "s/[1-9][0-9]*/some/"' $'inactive\nsome'
does "it is purged" 'dpkg -P headgate' 300s
are "nothing is left" 'ls -d /etc/headgate /var/lib/headgate /var/log/headgate /run/headgate 2>/dev/null' ''
ok "the machine is powered off" machine_end
note "the transcript: ${TRANSCRIPT#"$ROOT"/}"
finish
