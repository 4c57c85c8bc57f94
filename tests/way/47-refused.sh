#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 47-refused.sh -- bad input at a start, under the stand-in for systemd as the unit's user: a broken file, a missing certificate, secrets and
# tenants of somebody else, a folder of somebody else, a full store. Each ends in one clear line with the command to run, in the log and as
# STATUS=, and in the status that systemd does not restart.
. "${0%/*}/lib.sh"
need root
getent passwd nobody >/dev/null || skip_all nobody
group=$(id -gn nobody)
certs
TOKEN=$(token_new)
otlp logs -o "$T/body"

# a NAME: a good configuration of nobody's own; refused: it is not
a()
{
	instance "$1"
	tenants_file "acme:$TOKEN"
	conf_base local file 1
	conf control.socket="$HG_DIR/control.sock"
	chown -R "nobody:$group" "$HG_DIR"
	chmod 711 "$HG_DIR"
	chmod 640 "$HG_DIR/tenants.yaml"
}
refused()
{
	python3 "$WAY/tools/manager.py" --user nobody "$HG_DIR" -- "$HEADGATE" -c "$HG_DIR/headgate.yaml" >"$HG_DIR/said" 2>&1
	CODE=$?
	STATUS=$(grep -oP 'STATUS=\K.*' "$HG_DIR/notify.log")
	LINES=$(grep "lvl=err mod=master msg=\"can't start\"" "$HG_DIR/said")
	rm "$HG_DIR/notify.sock"
}
# so SENTENCE CODE WHAT: how it ended, and what its one line says
so()
{
	refused
	is "$1: status $2" "$CODE" "$2"
	like "$1: STATUS= says it, and what to run" "$STATUS" "^can't start: $3; run: headgate -t -c $HG_DIR/headgate.yaml\$"
	like "$1: so does one line of the log" "$LINES" "^lvl=err [^
]*$(sed 's/"/./g' <<<"$3")[^
]* run=.headgate -t -c $HG_DIR/headgate.yaml.\$"
}

a broken
echo 'listne: 1' >>"$HG_DIR/headgate.yaml"
so "a broken file" 78 "$HG_DIR/headgate.yaml:[0-9]+:1: error: unknown key 'listne'"

a missing
conf "listeners.0.tls.cert_file=$HG_DIR/none.pem" "listeners.0.tls.key_file=$HG_DIR/none.key"
so "a missing certificate" 78 "$HG_DIR/headgate.yaml:[0-9]+:[0-9]+: error: can't read the file '$HG_DIR/none.pem': No such file or directory"

a foreign
install -o root -g root -m 640 "$T/key.pem" "$HG_DIR/key.pem"
install -m 644 "$T/cert.pem" "$HG_DIR/cert.pem"
conf "listeners.0.tls.cert_file=$HG_DIR/cert.pem" "listeners.0.tls.key_file=$HG_DIR/key.pem"
so "a key of somebody else" 78 "$HG_DIR/headgate.yaml:[0-9]+:[0-9]+: error: can't read the file '$HG_DIR/key.pem': Permission denied"
like "the command that mends it stands below" "$(cat "$HG_DIR/said")" "help: chgrp $group $HG_DIR/key.pem && chmod 640 $HG_DIR/key.pem"
chgrp "$group" "$HG_DIR/key.pem" && chmod 640 "$HG_DIR/key.pem"
MANAGER=(--user nobody)
CA=$T/ca.pem
headgate_start
is "then it starts" "$(get /health)" 200
echo 'listne: 1' >>"$HG_DIR/headgate.yaml"
expect_err 'mod=reload msg="(configuration refused|reload failed, nothing has changed)"'
kill -HUP "$HG_PID"
stays() { notify "STATUS=reload failed, generation 1 stays live: $HG_DIR/headgate.yaml:[0-9]+:1: error: unknown key 'listne'; run: headgate -t -c $HG_DIR/headgate.yaml\$"; }
ok "a reload of a broken file is told by STATUS= with the command too" wait_until 20s stays
headgate_stop
HG_PID=''

a open
install -o nobody -m 644 "$T/key.pem" "$HG_DIR/key.pem"
install -m 644 "$T/cert.pem" "$HG_DIR/cert.pem"
conf "listeners.0.tls.cert_file=$HG_DIR/cert.pem" "listeners.0.tls.key_file=$HG_DIR/key.pem"
so "a key that all may read" 78 "$HG_DIR/headgate.yaml:[0-9]+:[0-9]+: error: the secret file '$HG_DIR/key.pem' is open to others \\(mode 0644\\)"
like "the command that mends it stands below" "$(cat "$HG_DIR/said")" "help: chmod o-rwx $HG_DIR/key.pem"

a tenants
chown root:root "$HG_DIR/tenants.yaml"
chmod 600 "$HG_DIR/tenants.yaml"
so "tenants of somebody else" 78 "$HG_DIR/tenants.yaml: can't open: Permission denied: chgrp $group $HG_DIR/tenants.yaml && chmod 640 $HG_DIR/tenants.yaml"

a folder
chown root:root "$HG_DIR/store"
chmod 755 "$HG_DIR/store"
so "a folder of somebody else" 78 "local.dir: $HG_DIR/store: can't be written: Permission denied: chown nobody $HG_DIR/store"

a full
expect_err 'mod=sink_local msg="the store is full: 503'
conf local.max_bytes=1MiB
CA=''
headgate_start
known "$TOKEN"
otlp logs -n 200 -o "$T/large"
says() { notify 'STATUS=generation 1, 1/1 workers ready, but the store is full and takes nothing: df -h .*/full/store'; }
# What is closed is smaller than it was: there may be room again for a while.
fills() { post /v1/logs "$T/large" >/dev/null; says; }
ok "a full store is told by STATUS=, with what to run" wait_until 60s fills
ok "and by the log" wait_until 20s hg_log 'lvl=err mod=sink_local msg="the store is full: 503, and nothing is dropped'
tells() { post /v1/logs "$T/large" >/dev/null; "$HEADGATECTL" --socket "$HG_DIR/control.sock" status >"$T/said"; [ $? = 1 ] && grep -qx 'not ready: store' "$T/said"; }
ok "and by headgatectl status, which exits with 1" wait_until 60s tells
finish
