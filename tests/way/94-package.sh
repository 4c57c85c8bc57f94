#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 94-package.sh -- what `make install` puts in place runs as it is, and the unit is sound: exposure, syntax, what an operator's drop-ins
# change (O22, operations.md 10; performance.md B22). With REQUIRE=all or LIFE=1 the Debian packages are built and judged by lintian too (O23).
. "${0%/*}/lib.sh"
command -v systemd-analyze >/dev/null || skip_all systemd-analyze

have() { local each; for each; do command -v "$each" >/dev/null || return 1; done; }

# ---- the unit ----

unit=$ROOT/packaging/systemd/headgate.service
exposure() { systemd-analyze security --offline=true --no-pager --threshold="$1" "$2"; }
ok "the unit's exposure is 1.5 at most" exposure 15 "$unit"
mkdir -p "$T/units/headgate.service.d"
sed "s|/usr/sbin/headgate|$HEADGATE|; s|/usr/bin/headgatectl|$HEADGATECTL|" "$unit" >"$T/units/headgate.service"
verify() { systemd-analyze verify --man=no --recursive-errors=no "$@" 2>&1; }
is "systemd has nothing to say about it" "$(verify "$T/units/headgate.service")" ""
cp "$ROOT/packaging/systemd/private-users.conf" "$T/units/headgate.service.d/"
ok "with private-users.conf it is 1.1" exposure 11 "$T/units/headgate.service"
is "which systemd takes" "$(verify "$T/units/headgate.service")" ""
cp "$ROOT/packaging/systemd/headgate.socket" "$T/units/"
is "nor about the socket unit" "$(verify "$T/units/headgate.socket")" ""

# What faults.md 9 says of 252: without these the workers' sandbox would fail in silence.
for each in seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self; do
	ok "the unit's filter lets $each through" grep -qE "^SystemCallFilter=[^~]*\b$each\b" "$unit"
done

# ---- make install ----

tree=$T/tree
install_tree() { env -u unitdir DESTDIR="$tree" prefix="$1" "$ROOT/tools/install-tree" "$HEADGATE_BUILD"; }
(umask 077; install_tree /usr) >"$T/installed" 2>&1
is "the tree is installed without a word" "$(cat "$T/installed")" ""
for each in usr/sbin/headgate usr/libexec/headgate/headgate-worker usr/bin/headgatectl; do
	is "$each is a program" "$(stat -c %a "$tree/$each")" 755
done
for each in etc/headgate/headgate.yaml etc/logrotate.d/headgate usr/lib/systemd/system/headgate.service usr/lib/sysusers.d/headgate.conf \
	usr/lib/tmpfiles.d/headgate.conf usr/share/headgate/sql/001_tenants.sql usr/share/headgate/models/UserEvent.json usr/share/headgate/headgate.schema.json \
	usr/share/headgate/monitoring/prometheus/headgate.rules.yml usr/share/headgate/monitoring/grafana/headgate.json \
	usr/share/bash-completion/completions/headgatectl usr/share/zsh/vendor-completions/_headgatectl usr/share/fish/vendor_completions.d/headgatectl.fish \
	$(cd "$ROOT/packaging/man" && for page in *.[1-8]; do echo "usr/share/man/man${page##*.}/$page"; done); do
	is "$each is there, for all to read" "$(stat -c %a "$tree/$each" 2>&1)" 644
done
is "nobody else may write anything" "$(find "$tree" -perm /022 ! -type l)" ""
for each in etc/headgate/headgate.yaml usr/share/doc/headgate/examples/headgate.yaml; do
	ok "$each is a configuration" "$tree/usr/sbin/headgate" -t --offline -q -c "$tree/$each"
done
echo '# mine' >>"$tree/etc/headgate/headgate.yaml"
install_tree /usr
is "a second time, it is not overwritten" "$(tail -n 1 "$tree/etc/headgate/headgate.yaml")" '# mine'
rm -r "$tree"
install_tree /opt/headgate
like "with another prefix the unit names its programs" "$(cat "$tree/opt/headgate/lib/systemd/system/headgate.service")" \
	'ExecStart=/opt/headgate/sbin/headgate.*ExecReload=/opt/headgate/bin/headgatectl reload'

# User and folders: what is written there makes the configuration's defaults possible.
rm -r "$tree"
install_tree /usr
mkdir -p "$tree/run"
touch "$tree/etc/passwd" "$tree/etc/group"
ok "the user is made" systemd-sysusers --root="$tree" headgate.conf
ok "so are the folders" systemd-tmpfiles --root="$tree" --create headgate.conf
gid=$(sed -n 's/^headgate:[^:]*:\([0-9]*\):.*/\1/p' "$tree/etc/group")
is "secrets are for root and the group" "$(stat -c '%a %u %g' "$tree/etc/headgate/secrets")" "750 0 $gid"
is "so are the tenants" "$(stat -c '%a %u %g' "$tree/etc/headgate/tenants.yaml")" "640 0 $gid"
is "there are none" "$(cat "$tree/etc/headgate/tenants.yaml")" $'version: 1\ntenants: []'
is "nobody logs in as the user" "$(grep -c '^headgate:.*:/usr/sbin/nologin$' "$tree/etc/passwd")" 1
for each in var/lib/headgate var/log/headgate; do
	is "$each is the service's own" "$(stat -c '%a %g' "$tree/$each")" "750 $gid"
done

# performance.md B22: what is built here runs elsewhere, too.
compiled() { env -u MAKEFLAGS make -C "$ROOT" -nB MODE="$1" all | grep -E -- ' -c -o '; }
for mode in release debug; do
	ok "the $mode build compiles files" test "$(compiled $mode | wc -l)" -gt 100
	is "none of them for the processor of this machine" "$(compiled $mode | grep -oE -- '-(march|mcpu|mtune)=[^ ]*|-mavx512[^ ]*')" ""
done

# ---- the Debian packages ----

if [ "${REQUIRE-}" != all ] && [ -z "${LIFE-}" ]; then
	skip "lintian has nothing to say about the packages" "takes minutes: LIFE=1"
elif ! have dpkg-buildpackage lintian dh jq; then
	skip "lintian has nothing to say about the packages" "needs dpkg-dev, debhelper, lintian"
else
	ok "the packages are built" machine_env env PACKAGE_JOBS=2 "$ROOT/tools/package" deb
	changes=("$ROOT"/build/packages/headgate_*.changes)
	is "lintian has nothing to say about them" "$(lintian --allow-root --pedantic -I -E "${changes[@]}" 2>&1)" ""
	ok "they come with a list of what they are made with" jq -e '.components | length > 20' "$ROOT/build/packages/sbom.cdx.json"
	is "there are debug symbols" "$(find "$ROOT/build/packages" -name 'headgate-dbgsym_*.deb' | wc -l)" 1
	dpkg-deb -x "$ROOT"/build/packages/headgate_*.deb "$T/deb"
	is "the worker has all hardening" "$(readelf -hdl "$T/deb/usr/libexec/headgate/headgate-worker" | grep -cE 'DYN \(Position|BIND_NOW|GNU_RELRO')" 3
fi

if [ "${REQUIRE-}" != all ] && [ -z "${LIFE-}" ]; then
	skip "rpmlint has nothing to say about the RPM packages" "takes minutes: LIFE=1"
elif ! have rpmbuild eu-strip rpmlint; then
	skip "rpmlint has nothing to say about the RPM packages" "needs rpm, elfutils, rpmlint"
else
	ok "the RPM packages are built" machine_env env PACKAGE_JOBS=2 "$ROOT/tools/package" rpm
	like "rpmlint has nothing to say about them but what is listed" \
		"$(rpmlint -c "$ROOT/packaging/rpm/rpmlint.toml" "$ROOT"/build/packages/*.rpm 2>&1 | tail -n 1)" ' 0 errors, 0 warnings'
	is "one has debug symbols" "$(find "$ROOT/build/packages" -name 'headgate-debuginfo-*.rpm' | wc -l)" 1
fi
finish
