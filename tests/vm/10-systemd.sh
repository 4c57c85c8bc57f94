#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 10-systemd.sh -- `make vm`: the package under a live systemd, what the stand-in of tests/way cannot show: it is active after install, and
# confined; reload; restart and upgrade under load; a broken file is not restarted in a loop; the watchdog; an OOM-killed worker; fields of the
# journal; logrotate; bad input in one clear line on `systemctl status`; remove, purge (O9, O19, O22, O24, F58). DEBIAN=13: another Debian
# than this one, with the packages of `make debian13`.
. "${0%/*}/../way/lib.sh"
. "${0%/*}/machine.sh"
need root
for each in mmdebstrap mke2fs qemu-system-x86_64; do command -v "$each" >/dev/null || skip_all "$each"; done

case ${DEBIAN-} in
'')	SUITE=$(. /etc/os-release && echo "$VERSION_CODENAME")
	machine_env env PACKAGE_JOBS=2 "$ROOT/tools/package" deb >"$T/packages" || bail "no packages"
	PACKAGES=$ROOT/build/packages ;;
13)	SUITE=trixie PACKAGES=$ROOT/build/debian13/packages ;;
*)	bail "DEBIAN=13, or nothing" ;;
esac
DEB=$(find "$PACKAGES" -name 'headgate_*.deb')
[ -e "$DEB" ] || bail "no package in $PACKAGES"
machine_base "$SUITE" "$(dpkg-deb -f "$DEB" Depends | sed 's/|[^,]*//g; s/([^)]*)//g; s/ //g')" || bail "no machine"
mkdir "$T/give"
cp "$DEB" "$T/give/first.deb"
for each in 9.1 9.2; do "$ROOT/tests/life/repack" "$DEB" $each "$T/give/$each.deb"; done
otlp logs -o "$T/give/body"
machine_boot "$T"/give/* "$WAY/tools/knock.py"
note "$(guest 'uname -sr; systemctl --version | head -n 1; cat /etc/debian_version')"

# are SENTENCE COMMAND WANT: what it says there is WANT
are() { is "$1" "$(guest "$2")" "$3"; }
does() { ok "$1" guest "$2" "${3:-120s}"; }

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
does "the journal has the one line that says so" 'said "10-mine.yaml:1:1: error"'
like "the status keeps it, with the command to run" "$(guest 'systemctl status headgate.service')" \
	'Active: failed.*Status: "can.t start: /etc/headgate/conf.d/10-mine.yaml:1:1: error: unknown key .listne.; run: headgate -t -c /etc/headgate/headgate.yaml"'
are "three seconds later it has not been tried again" 'sleep 3; show ActiveState; show NRestarts' $'failed\n0'
does "mended, it starts" 'rm /etc/headgate/conf.d/10-mine.yaml; systemctl reset-failed headgate; systemctl start headgate && until_ 10 serves'

# ---- a full /var ----

does "without room in /var it starts" 'systemctl stop headgate; mount -t tmpfs -o "size=200k,mode=750,uid=$(id -u headgate),gid=$(id -g headgate)" tmpfs /var/lib/headgate/local
	systemctl start headgate && until_ 60 sh -c "systemctl status headgate | grep -q takes.nothing"'
like "the status says so, with what to run" "$(guest 'systemctl status headgate.service')" 'Active: active.*but the store is full and takes nothing: df -h /var/lib/headgate/local'
are "a write is 503" 'post "$TOKEN"' 503
does "with room it stores again" 'systemctl stop headgate; umount /var/lib/headgate/local; systemctl start headgate && until_ 60 serves'

# ---- restart, crash and upgrade under load ----

does "clients knock" knock_begin 120s
before=$(guest master)
does "it is restarted twice under load" 'systemctl restart headgate && systemctl restart headgate' 300s
does "that is another process" "another $before"
like "nobody was refused, reset or told 503" "$(guest knock_end 120s)" '^[0-9]+ 200$'

before=$(guest master)
does "a worker killed is replaced" 'set -- $(workers); kill -KILL $1; until_ 20 sh -c "! kill -0 $1" && until_ 20 sh -c "[ \$(pgrep -P $(master) | wc -l) = $# ]"'
are "by the same master" master "$before"

does "clients knock" knock_begin 120s
does "it is upgraded under load" 'dpkg --force-confdef --force-confold -i /given/9.1.deb' 300s
does "that is another process" "another $before"
like "nobody was refused, reset or told 503" "$(guest knock_end 120s)" '^[0-9]+ 200$'

before=$(guest master)
like "an upgrade over a broken file says what is broken, and what to do" \
	"$(guest 'echo "listne: 1" >/etc/headgate/conf.d/10-mine.yaml; dpkg --force-confdef --force-confold -i /given/9.2.deb; echo status $?' 300s)" \
	"10-mine.yaml:1:1: error: unknown key 'listne'.*once it is mended: systemctl restart headgate.*status 0"
are "the old process goes on" master "$before"
does "and serves" serves
guest 'rm /etc/headgate/conf.d/10-mine.yaml' >/dev/null

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
