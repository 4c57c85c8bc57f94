#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 97-rpm.sh -- a life of the .rpm: Debian's rpm with a database of its own in the root of 95-package.sh, under the stand-in for systemd.
# Install, first record, an edit, reload, upgrade under load, upgrade with a broken file, erase. What the package requires is there under
# Debian's names: a package made here says what of rpm's names that provides, so that rpm's own check runs (no --nodeps).
. "${0%/*}/../way/lib.sh"
. "${0%/*}/root.sh"

if [ -z "${WAY_NETNS-}" ]; then
	need root
	for each in dpkg-buildpackage dh mmdebstrap rpmbuild eu-strip; do command -v "$each" >/dev/null || skip_all "$each"; done
	unshare -mnp --fork true || skip_all "namespaces"
	for each in deb rpm; do
		machine_env env PACKAGE_JOBS=2 "$ROOT/tools/package" $each >"$T/packages" || bail "no $each"
	done
	RPM=$(find "$ROOT/build/packages" -name 'headgate-[0-9]*.rpm')
	base_root "$(find "$ROOT/build/packages" -name 'headgate_*.deb')" || bail "no root: $BASE"
	own_namespaces RPM="$RPM"
fi
need netns
root_begin

in_root() { rpm --root "$root" --define '_dbpath /var/lib/rpm' "$@"; }
# make_rpm SPEC [DEFINE...]: in $T/rpms
make_rpm()
{
	local spec=$1
	shift
	rpmbuild -bb --nodeps --define "_topdir $T/rpmbuild" --define "_rpmdir $T/rpms" --define '_rpmfilename %{name}-%{version}.rpm' --define 'debug_package %{nil}' \
		--define '__os_install_post %{nil}' "$@" "$spec" >"$T/rpmbuild.log" 2>&1 || { cat "$T/rpmbuild.log" >&2; bail "rpmbuild failed"; }
}

# debian_rpm: what this Debian provides of what the package wants. rpm's own features it has itself.
debian_rpm()
{
	{
		printf '%s\n' 'Name: debian' 'Version: 1' 'Release: 1' 'Summary: what is there under names of its own' 'License: none' 'BuildArch: noarch'
		rpm -qp --requires "$RPM" | grep -vE '^(rpmlib|config)\(' | sort -u | sed 's/^/Provides: /'
		printf '%s\n' '%description' '%{summary}.' '%files'
	} >"$T/debian.spec"
	make_rpm "$T/debian.spec"
}

# later VERSION: the same package under a later version, with a configuration file that differs: its files, the tree's spec
later()
{
	mkdir -p "$T/tree"
	# Without what rpmbuild takes from the sources by itself.
	[ -e "$T/tree/usr" ] || rpm2archive - <"$RPM" | tar -xz -C "$T/tree" --exclude='*/licenses' --exclude='*/doc/headgate-*'
	awk -v tree="$T/tree" -v version="$1" '
		/^%prep/ { printf "%%install\ncp -a %s/. %%{buildroot}\necho \"# of %s\" >>%%{buildroot}/etc/headgate/headgate.yaml\n", tree, version; skip = 1 }
		/^%post$/ { skip = 0 }
		/^Source0:/ { next }
		/^%(license|doc) / { next }
		!skip' "$ROOT/packaging/rpm/headgate.spec" >"$T/later.spec"
	make_rpm "$T/later.spec" --define "headgate_version $1" --define 'headgate_revision unknown'
}

TOKEN='' URL=http://127.0.0.1:4318 ADDRESS=127.0.0.1:4318
otlp logs -o "$T/body"
in_root --initdb
debian_rpm
ok "what it requires is told" in_root -i "$T/rpms/debian-1.rpm"
rm "$root/etc/logrotate.d/headgate" 2>/dev/null	# of nobody

# ---- install ----

ok "it is installed, its requirements met" in_root -i "$RPM"
is "every file is as it was packed" "$(in_root -V headgate)" ""
is "nothing was started" "$(asked)" ""
is "it is enabled only by who wants it" "$(inside /bin/systemctl is-enabled headgate.service)" "$(inside /bin/systemctl list-unit-files -q --no-legend headgate.service | awk '{print $2}')"
is "user and folders are there" "$(inside stat -c '%a %U %G' /etc/headgate/secrets /etc/headgate/tenants.yaml /var/lib/headgate /var/log/headgate | xargs)" \
	"750 root headgate 640 root headgate 750 headgate headgate 750 headgate headgate"
ok "it is enabled and started" inside systemctl enable --now headgate.service
is "it is healthy" "$(get /health)" 200
is "every write gets a 401" "$(for each in /v1/logs /v1/traces /api/v1/write /loki/api/v1/push; do post "$each" "$T/body"; echo; done | xargs)" "401 401 401 401"
is "workers are confined" "$(for each in $(cat "/proc/$(pid)/task/$(pid)/children"); do sed -n 's/^Seccomp:\t//p' "/proc/$each/status"; done | sort -u)" 2

# ---- the first record, an edit, a reload ----

ok "a tenant is added" inside headgatectl tenant add acme
TOKEN=$(inside headgatectl token issue acme --wait)
is "its records are accepted" "$(post /v1/logs "$T/body")" 200
like "and stored" "$(inside headgatectl cat -n 1)" '"tenant":"acme"'
echo 'limits: {body: 8MiB}' >>"$root/etc/headgate/headgate.yaml"
ok "an edit is reloaded" inside systemctl reload headgate
like "by another generation" "$(tail -n 20 "$T/sd/journal")" 'generation 1 -> 2'

# ---- upgrades ----

before=$(pid)
later 9.1
knock_begin
ok "it is upgraded under load" in_root -U "$T/rpms/headgate-9.1.rpm"
is "and restarted" "$(asked)" "start reload restart"
ok "that is another process" test "$(pid)" != "$before"
ok "which serves" wait_until 30s many $(($(wc -l <"$T/knocked") + 20))
like "nobody was refused, reset or told 503" "$(knock_end)" '^[0-9]+ 200$'
ok "the edit is still there" grep -q '^limits: {body: 8MiB}' "$root/etc/headgate/headgate.yaml"
ok "what the package has now lies beside it" grep -q '^# of 9.1' "$root/etc/headgate/headgate.yaml.rpmnew"

before=$(pid)
echo 'listne: 1' >"$root/etc/headgate/conf.d/10-mine.yaml"
later 9.2
in_root -U "$T/rpms/headgate-9.2.rpm" >"$T/said" 2>&1
is "an upgrade over a broken file succeeds" $? 0
like "it says what is broken" "$(cat "$T/said")" "/etc/headgate/conf.d/10-mine.yaml:1:1: error: unknown key 'listne'"
like "and what to do" "$(cat "$T/said")" 'once it is mended: systemctl restart headgate'
is "the old process goes on" "$(pid)" "$before"
is "and serves" "$(post /v1/logs "$T/body")" 200
is "it was not asked to restart" "$(asked)" "start reload restart"
rm "$root/etc/headgate/conf.d/10-mine.yaml"

# ---- erase ----

ok "it is erased" in_root -e headgate
ok "it has ended" test ! -e "$T/sd/pid"
is "and is enabled no more" "$(find "$root/etc/systemd" -name 'headgate*')" ""
ok "its state stays" test -n "$(find "$root/var/lib/headgate/local" -name '*.db')"
ok "so do tenants, and the edit under its own name" test -e "$root/etc/headgate/tenants.yaml" -a -e "$root/etc/headgate/headgate.yaml.rpmsave"
is "of programs and unit nothing is left" "$(cd "$root" && find usr/bin usr/sbin usr/libexec usr/lib/systemd usr/share -name '*headgate*')" ""
[ "$WAY_FAILED" = 0 ] || note "$(tail -n 30 "$T/sd/journal"; cat "$T/sd/asked")"
finish
