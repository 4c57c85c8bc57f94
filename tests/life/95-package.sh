#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 95-package.sh -- a life in a Debian root of its own, under the stand-in for systemd: install, first record, an edit, reload, upgrade
# under load, upgrade with a broken file, remove, install anew, purge (O19, O23, O24; F58 in short form). Minutes the first time, and it
# needs namespaces of its own: `make life`. The bare root is kept in the cache of tools/cached.
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

# ---- upgrades ----

before=$(pid)
knock_begin
repack 9.1
ok "it is upgraded under load" install_deb "$T/9.1.deb"
is "and restarted" "$(asked)" "start reload restart"
ok "that is another process" test "$(pid)" != "$before"
ok "which serves" wait_until 10s many $(($(wc -l <"$T/knocked") + 20))
like "nobody was refused, reset or told 503" "$(knock_end)" '^[0-9]+ 200$'
ok "the edit is still there" grep -q '^limits: {body: 8MiB}' "$root/etc/headgate/headgate.yaml"
ok "what the package has now lies beside it" grep -q '^# of 9.1' "$root/etc/headgate/headgate.yaml.dpkg-dist"

before=$(pid)
echo 'listne: 1' >"$root/etc/headgate/conf.d/10-mine.yaml"
repack 9.2
ok "an upgrade over a broken file succeeds" install_deb "$T/9.2.deb"
like "it says what is broken" "$(cat "$T/dpkg")" "/etc/headgate/conf.d/10-mine.yaml:1:1: error: unknown key 'listne'"
like "and what to do" "$(cat "$T/dpkg")" 'once it is mended: systemctl restart headgate'
is "the old process goes on" "$(pid)" "$before"
is "and serves" "$(post /v1/logs "$T/body")" 200
is "it was not asked to restart" "$(asked)" "start reload restart"
ok "a reload is refused too" fails inside systemctl reload headgate
rm "$root/etc/headgate/conf.d/10-mine.yaml"

# ---- a start with a broken file ----

inside systemctl stop headgate
echo 'listne: 1' >"$root/etc/headgate/conf.d/10-mine.yaml"
ok "it does not start with a broken file" fails inside systemctl start headgate
is "its status is the one that systemd does not restart" "$(cat "$T/sd/status")" 78
rm "$root/etc/headgate/conf.d/10-mine.yaml"
ok "mended, it starts" inside systemctl start headgate

# ---- logs are rotated ----

printf 'log: {audit_file: /var/log/headgate/audit.log}\n' >"$root/etc/headgate/conf.d/20-log.yaml"
inside systemctl reload headgate
post /v1/logs "$T/body" >/dev/null
ok "the audit log is there" wait_until 5s test -s "$root/var/log/headgate/audit.log"
first=$(stat -c %i "$root/var/log/headgate/audit.log")
ok "logrotate rotates it" inside logrotate -f /etc/logrotate.d/headgate
ok "the service goes on in a new file" wait_until 10s audited
is "for user and group" "$(inside stat -c '%A %U' /var/log/headgate/audit.log | cut -c8-)" "--- headgate"
rm "$root/etc/headgate/conf.d/20-log.yaml"

# ---- remove, and back ----

ok "it is removed" inside dpkg -r headgate
ok "it has ended" test ! -e "$T/sd/pid"
ok "its state stays" test -n "$(find "$root/var/lib/headgate/local" -name '*.db')"
ok "so do configuration and tenants" test -e "$root/etc/headgate/headgate.yaml" -a -e "$root/etc/headgate/tenants.yaml"
ok "it is installed again" install_deb "$T/9.2.deb"
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
