#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 95-package.sh -- a life in a Debian root of its own, under the stand-in for systemd: install, first record, an edit, reload, upgrade
# under load, upgrade with a broken file, remove, install anew, purge (O9, O19, O23, O24, F58). Minutes the first time, and it needs
# namespaces of its own: `make life`. The bare root is kept in the cache of tools/cached.
. "${0%/*}/../way/lib.sh"
. "${0%/*}/root.sh"

# ---- before the namespaces, since it may need a network: the packages, and a root with what they depend on ----

if [ -z "${WAY_NETNS-}" ]; then
	need root
	for each in dpkg-buildpackage dh mmdebstrap; do command -v "$each" >/dev/null || skip_all "$each"; done
	unshare -mnp --fork true || skip_all "namespaces"
	machine_env env PACKAGE_JOBS=2 "$ROOT/tools/package" deb >"$T/packages" || bail "no packages"
	DEB=$(find "$ROOT/build/packages" -name 'headgate_*.deb')
	base_root "$DEB" || bail "no root: $BASE"
	own_namespaces DEB="$DEB"
fi
need netns
root_begin

install_deb() { cp "$1" "$root/packages/new.deb"; inside dpkg --force-confdef --force-confold -i /packages/new.deb >"$T/dpkg" 2>&1; }

audited() { post /v1/logs "$T/body" -H 'Authorization: Bearer no' >/dev/null; [ -s "$root/var/log/headgate/audit.log" ] && [ "$(stat -c %i "$root/var/log/headgate/audit.log")" != "$first" ]; }

repack() { "$ROOT/tests/life/repack" "$DEB" "$1" "$T/$1.deb"; }

workers_of() { cat "/proc/$1/task/$1/children"; }
version() { inside headgatectl --json status | jq -r .version; }
# all_say VERSION: the programs of the workers that run
all_say() { local each; for each in $(workers_of "$(pid)"); do grep -qaF "$1" "/proc/$each/exe" || return 1; done; }

TOKEN='' URL=http://127.0.0.1:4318 ADDRESS=127.0.0.1:4318
otlp logs -o "$T/body"

# ---- install ----

ok "it is installed" install_deb "$DEB"
is "and started" "$(asked)" start
is "the unit is enabled" "$(inside /bin/systemctl is-enabled headgate.service)" enabled
is "systemd has nothing to say about the unit" "$(systemd-analyze verify --root="$root" --man=no headgate.service 2>&1)" ""
is "it is healthy" "$(get /health)" 200
is "every write gets a 401" "$(for each in /v1/logs /v1/traces /api/v1/write /loki/api/v1/push; do post "$each" "$T/body"; echo; done | xargs)" "401 401 401 401"
is "as the service's user, master and workers" "$(for each in $(pid) $(cat "/proc/$(pid)/task/$(pid)/children"); do
	inside stat -c %U "/proc/$each"; done | sort -u)" headgate
is "workers are confined" "$(for each in $(cat "/proc/$(pid)/task/$(pid)/children"); do sed -n 's/^Seccomp:\t//p' "/proc/$each/status"; done | sort -u)" 2
is "the control socket is for user and group" "$(inside stat -c '%a %U %G' /run/headgate/control.sock)" "660 headgate headgate"
is "nobody else reads secrets, tenants, state or logs" "$(inside stat -c '%a %U %G' /etc/headgate/secrets /etc/headgate/tenants.yaml \
	/var/lib/headgate /var/log/headgate | xargs)" "750 root headgate 640 root headgate 750 headgate headgate 750 headgate headgate"
inside setpriv --reuid nobody --regid nogroup --clear-groups headgatectl status >"$T/said" 2>&1
is "a user outside the group gets 77" $? 77
is "and one line" "$(wc -l <"$T/said")" 1

# ---- the first record ----

ok "a tenant is added" inside headgatectl tenant add acme
TOKEN=$(inside headgatectl token issue acme --wait)
is "the tenants file is still for root and the group" "$(inside stat -c '%a %U %G' /etc/headgate/tenants.yaml)" "640 root headgate"
(umask 077; echo "$TOKEN" >"$root/srv/token")
ok "a sample of every protocol is accepted" inside headgatectl send --all --token-file /srv/token
like "and stored, with its tenant" "$(inside headgatectl cat -n 1)" '"tenant":"acme"'

# ---- an edit, and a reload ----

echo 'limits: {body: 8MiB}' >>"$root/etc/headgate/headgate.yaml"
ok "an edit is checked" inside setpriv --reuid headgate --regid headgate --init-groups headgate -t -q
ok "and reloaded" inside systemctl reload headgate
like "by another generation" "$(tail -n 20 "$T/sd/journal")" 'generation 1 -> 2'

# ---- a check by root tells what the service would ----

certs
install -m 640 "$T/key.pem" "$root/etc/headgate/secrets/key.pem"
install -m 644 "$T/cert.pem" "$root/etc/headgate/cert.pem"
echo 'listeners: [{name: tls, listen: "127.0.0.1:443", tls: {cert_file: /etc/headgate/cert.pem, key_file: /etc/headgate/secrets/key.pem}}]' \
	>"$root/etc/headgate/conf.d/30-tls.yaml"
inside headgate -t -q >"$T/said" 2>&1
is "by root: a key that the service can't read is an error" $? 78
like "with the command to run" "$(cat "$T/said")" "error: can't read the file '/etc/headgate/secrets/key.pem': Permission denied.*help: chgrp headgate [^
]* && chmod 640"
ok "which mends it" inside sh -c "$(sed -n 's/^ *help: //p' "$T/said")"
ok "by root: the service's own secret is none, and a low port is no error" inside headgate -t -q
rm "$root"/etc/headgate/{conf.d/30-tls.yaml,cert.pem,secrets/key.pem}

# ---- upgrades ----

before=$(pid)
repack 9.1.0
knock_begin
# F58: beside who opens a connection each time, connections that are never idle, as many requests as go; with RATE so many a second, whatever
# becomes of the answers.
echo "$TOKEN" >"$T/tokens"
otlp logs -m one -o "$T/one"
spawn "$T/load.json" "$ROOT/build/release/hgload" -u "$URL/v1/logs" -b "$T/one" -c 64 -d 20 ${RATE:+-r "$RATE"} -t "$T/tokens" -H 'Content-Type: application/x-protobuf'
LOAD=$SPAWNED
ok "it is upgraded under load" install_deb "$T/9.1.0.deb"
is "and restarted" "$(asked)" "start reload restart"
ok "that is another process" test "$(pid)" != "$before"
is "it reports the new version" "$(version)" 9.1.0
ok "which serves" wait_until 30s many $(($(wc -l <"$T/knocked") + 20))
like "nobody was refused, reset or told 503" "$(knock_end)" '^[0-9]+ 200$'
wait_until 60s gone "$LOAD"
note "$(<"$T/load.json")"
is "nor was any of many requests at once" "$(jq -c '[.codes == {"200": .started}, .broken, .unanswered]' "$T/load.json")" "[true,0,0]"
ok "the edit is still there" grep -q '^limits: {body: 8MiB}' "$root/etc/headgate/headgate.yaml"
ok "what the package has now lies beside it" grep -q '^# of 9.1.0' "$root/etc/headgate/headgate.yaml.dpkg-dist"

before=$(pid)
echo 'listne: 1' >"$root/etc/headgate/conf.d/10-mine.yaml"
repack 9.2.0
ok "an upgrade over a broken file succeeds" install_deb "$T/9.2.0.deb"
like "it says what is broken" "$(cat "$T/dpkg")" "/etc/headgate/conf.d/10-mine.yaml:1:1: error: unknown key 'listne'"
like "and what to do" "$(cat "$T/dpkg")" 'once it is mended: systemctl restart headgate'
is "the old process goes on" "$(pid)" "$before"
is "and serves" "$(post /v1/logs "$T/body")" 200
is "it was not asked to restart" "$(asked)" "start reload restart"
is "its version is the old one" "$(version)" 9.1.0
old=$(workers_of "$(pid)")
# shellcheck disable=SC2086
kill -KILL $old
all_new() { local now; now=$(workers_of "$(pid)"); [ "$(wc -w <<<"$now")" = "$(wc -w <<<"$old")" ] && [ -z "$(comm -12 <(xargs -n1 <<<"$old" | sort) <(xargs -n1 <<<"$now" | sort))" ]; }
ok "workers that die amid an upgrade are replaced" wait_until 60s all_new
ok "by the old version's, though another is in their place" all_say 9.1.0
served() { [ "$(post /v1/logs "$T/body")" = 200 ]; }
ok "which serve" wait_until 30s served
ok "a reload is refused too" fails inside systemctl reload headgate
rm "$root/etc/headgate/conf.d/10-mine.yaml"

# ---- a start with a broken file ----

inside systemctl stop headgate
echo 'listne: 1' >"$root/etc/headgate/conf.d/10-mine.yaml"
ok "it does not start with a broken file" fails inside systemctl start headgate
is "its status is the one that systemd does not restart" "$(cat "$T/sd/status")" 78
rm "$root/etc/headgate/conf.d/10-mine.yaml"
ok "mended, it starts" inside systemctl start headgate
is "by then it is the newest version" "$(version)" 9.2.0

# ---- logs are rotated ----

printf 'log: {audit_file: /var/log/headgate/audit.log}\n' >"$root/etc/headgate/conf.d/20-log.yaml"
inside systemctl reload headgate
post /v1/logs "$T/body" >/dev/null
ok "the audit log is there" wait_until 30s test -s "$root/var/log/headgate/audit.log"
first=$(stat -c %i "$root/var/log/headgate/audit.log")
ok "logrotate rotates it" inside logrotate -f /etc/logrotate.d/headgate
ok "the service goes on in a new file" wait_until 30s audited
is "for user and group" "$(inside stat -c '%A %U' /var/log/headgate/audit.log | cut -c8-)" "--- headgate"
rm "$root/etc/headgate/conf.d/20-log.yaml"

# ---- remove, and back ----

ok "it is removed" inside dpkg -r headgate
ok "it has ended" test ! -e "$T/sd/pid"
ok "its state stays" test -n "$(find "$root/var/lib/headgate/local" -name '*.db')"
ok "so do configuration and tenants" test -e "$root/etc/headgate/headgate.yaml" -a -e "$root/etc/headgate/tenants.yaml"
ok "it is installed again" install_deb "$T/9.2.0.deb"
is "and started" "$(asked | grep -o 'start$')" start
is "with tenants and edit" "$(post /v1/logs "$T/body")" 200

# ---- purge ----

echo secret >"$root/etc/headgate/secrets/mine"
ok "it is purged" inside dpkg -P headgate
is "only what somebody else put there is left" "$(cd "$root" && find etc var/lib run usr var/log lib -name '*headgate*' ! -path 'var/lib/systemd/*' ; cd "$root" && find etc/headgate -type f)" \
	$'etc/headgate\netc/headgate/secrets/mine'
ok "the unit is not enabled any more" test ! -e "$root/etc/systemd/system/multi-user.target.wants/headgate.service"
like "dpkg does not know it" "$(inside dpkg -l headgate 2>&1)" 'no packages found'
[ "$WAY_FAILED" = 0 ] || note "$(cat "$T/dpkg"; tail -n 30 "$T/sd/journal"; cat "$T/sd/asked")"
finish
