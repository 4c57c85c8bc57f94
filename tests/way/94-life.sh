#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 94-life.sh -- a package's life, in short: what `make install` puts in place and the Debian package's own scripts, in a root of its own (this
# system's, where nothing stays), under the stand-in for systemd: install, first record, an edit, reload, a check by root, upgrade under load,
# upgrade with a broken file, remove, purge (O9, O19, O24; F58, short). `make life` does it with the packages in a bare Debian.
. "${0%/*}/lib.sh"
. "${0%/*}/../life/root.sh"
need root
for each in deb-systemd-invoke systemd-sysusers systemd-tmpfiles; do command -v "$each" >/dev/null || skip_all "$each"; done
! getent passwd headgate >/dev/null || skip_all "a system without it"
if [ -z "${WAY_NETNS-}" ]; then
	unshare -mnp --fork true || skip_all "namespaces"
	BASE='' own_namespaces
fi
need netns
root_begin
install_tree() { DESTDIR=$root prefix=/usr "$ROOT/tools/install-tree" "$HEADGATE_BUILD" >"$T/said" 2>&1; }
mkdir "$root/tmp/scripts"
cp "$ROOT"/packaging/debian/headgate.{postinst,prerm,postrm} "$root/tmp/scripts"
script() { inside sh "/tmp/scripts/headgate.$1" "$2" >"$T/said" 2>&1; }
URL=http://127.0.0.1:4318 ADDRESS=127.0.0.1:4318 TOKEN=''
otlp logs -o "$T/body"

ok "it is put in place" install_tree
ok "so are user and folders" inside sh -c 'systemd-sysusers headgate.conf && systemd-tmpfiles --create headgate.conf'
inside systemctl enable headgate.service	# as debhelper's part of the script does
ok "the package's script is content" script postinst configure
is "it is started" "$(asked)" start
is "it is healthy" "$(get /health)" 200
is "every write gets a 401" "$(for each in /v1/logs /v1/traces /api/v1/write /loki/api/v1/push; do post "$each" "$T/body"; echo; done | xargs)" "401 401 401 401"
is "all of it runs as the service's user" "$(for each in $(pid) $(cat "/proc/$(pid)/task/$(pid)/children"); do
	inside stat -c %U "/proc/$each"; done | sort -u)" headgate
is "the control socket is for user and group" "$(inside stat -c '%a %U %G' /run/headgate/control.sock)" "660 headgate headgate"

ok "a tenant is added" inside headgatectl tenant add acme
TOKEN=$(inside headgatectl token issue acme --wait)
(umask 077; echo "$TOKEN" >"$root/tmp/token")
ok "a sample of every protocol is accepted" inside headgatectl send --all --token-file /tmp/token
like "and stored, with its tenant" "$(inside headgatectl cat -n 1)" '"tenant":"acme"'
echo 'limits: {body: 8MiB}' >>"$root/etc/headgate/headgate.yaml"
ok "an edit is reloaded" inside systemctl reload headgate

certs
install -m 640 "$T/key.pem" "$root/etc/headgate/secrets/key.pem"
install -m 644 "$T/cert.pem" "$root/etc/headgate/cert.pem"
echo 'listeners: [{name: tls, listen: "127.0.0.1:443", tls: {cert_file: /etc/headgate/cert.pem, key_file: /etc/headgate/secrets/key.pem}}]' \
	>"$root/etc/headgate/conf.d/30-tls.yaml"
inside headgate -t -q >"$T/said" 2>&1
is "a check by root of a key that the service can't read fails" $? 78
ok "the command that it tells mends it" inside sh -c "$(sed -n 's/^ *help: //p' "$T/said")"
ok "the service's own secret is none to root, a low port no error" inside headgate -t -q
rm "$root"/etc/headgate/{conf.d/30-tls.yaml,cert.pem,secrets/key.pem}

before=$(pid)
knock_begin
install_tree && script postinst configure
is "an upgrade restarts it" "$(asked)" "start reload restart"
ok "that is another process" test "$(pid)" != "$before"
ok "which serves" wait_until 20s many $(($(wc -l <"$T/knocked") + 20))
like "nobody was refused, reset or told 503" "$(knock_end)" '^[0-9]+ 200$'
ok "the edit is still there" grep -q '^limits: {body: 8MiB}' "$root/etc/headgate/headgate.yaml"

before=$(pid)
echo 'listne: 1' >"$root/etc/headgate/conf.d/10-mine.yaml"
ok "an upgrade over a broken file succeeds" script postinst configure
like "it says what is broken, and what to do" "$(cat "$T/said")" "/etc/headgate/conf.d/10-mine.yaml:1:1: error: unknown key 'listne'.*once it is mended: systemctl restart headgate"
is "the old process goes on" "$(pid) $(post /v1/logs "$T/body")" "$before 200"
inside systemctl stop headgate
ok "a start fails" fails inside systemctl start headgate
is "by the status that systemd does not try again" "$(cat "$T/sd/status")" 78
rm "$root/etc/headgate/conf.d/10-mine.yaml"
ok "mended, it starts" inside systemctl start headgate

ok "it is removed" script prerm remove
ok "it has ended, its state stays" test ! -e "$T/sd/pid" -a -n "$(find "$root/var/lib/headgate/local" -name '*.db')"
rm "$root/etc/headgate/headgate.yaml"	# dpkg's part
ok "it is purged" script postrm purge
is "nothing of its own is left" "$(cd "$root" && find etc/headgate var/lib/headgate var/log/headgate run/headgate 2>/dev/null)" ""
bad=$(grep -aE 'AddressSanitizer|LeakSanitizer|runtime error: ' "$T/sd/journal")
is "no sanitizer has spoken" "$bad" ""
[ "$WAY_FAILED" = 0 ] || note "$(tail -n 30 "$T/sd/journal" | cut -c1-300; cat "$T/sd/asked")"
finish
