#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 96-container.sh -- packaging/container/Containerfile builds an image (over a Debian root of our own making, since no registry of images is
# asked), and what is in it runs as its CMD says, as its user. By buildah, without a daemon; it needs a network for Debian's packages.
. "${0%/*}/../way/lib.sh"
command -v buildah >/dev/null || skip_all buildah

REVISION=0123456789ab

base_image()
{
	local cache=${HEADGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/headgate} base each
	base=$cache/container-bookworm.tar
	exec 9>"$cache/container.lock"
	flock 9
	[ -e "$base" ] || { machine_env mmdebstrap --quiet --variant=minbase bookworm "$base.new.tar" http://deb.debian.org/debian >&2 && mv "$base.new.tar" "$base"; } ||
		return 1
	exec 9>&-
	each=$(bud from scratch) && bud add -q "$each" "$base" / && bud commit -q "$each" localhost/debian-root && bud rm "$each"
}
bud() { command buildah --root "$STORE/root" --runroot "$STORE/run" --storage-driver vfs "$@"; }

if [ -z "${WAY_NETNS-}" ]; then
	need root
	STORE=$(mktemp -d "${TMPDIR:-/tmp}/headgate-images.XXXXXX")
	export STORE
	base_image >"$T/base" 2>&1 || { cat "$T/base" >&2; bail "no base image"; }
	(cd "$ROOT" && bud build --isolation chroot --pull-never -q -t localhost/headgate --build-arg BASE=localhost/debian-root --build-arg "REVISION=$REVISION" \
		-f packaging/container/Containerfile .) >"$T/built" 2>&1 || { tail -n 40 "$T/built" >&2; rm -rf "$STORE"; bail "the image is not built"; }
fi
need netns

removed() { rm -rf "$STORE"; at_exit; }
trap removed EXIT
image=$(bud from --pull-never localhost/headgate)
inspect() { bud inspect --type image --format "$1" localhost/headgate; }
is "it runs as the service's user" "$(inspect '{{.OCIv1.Config.User}}')" headgate
is "by the master" "$(inspect '{{.OCIv1.Config.Cmd}}')" "[/usr/sbin/headgate]"
run() { bud run --isolation chroot "$@"; }
like "both programs are the ones of that revision" "$(run "$image" headgate -v)" "headgate [0-9.]+ \($REVISION, release.*headgate-worker [0-9.]+ \($REVISION, release"
ok "the configuration is good" run "$image" headgate -t -q
is "no systemd is in it" "$(run "$image" sh -c 'command -v systemctl')" ""
background bash -c "exec buildah --root '$STORE/root' --runroot '$STORE/run' --storage-driver vfs run --isolation chroot '$image' /usr/sbin/headgate"
export URL=http://127.0.0.1:4318 TOKEN=''
healthy() { [ "$(get /health)" = 200 ]; }
ok "it starts" wait_until 60s healthy
ok "the image's own health check is content" run "$image" headgatectl -q status
is "all addresses are listened on" "$(ss -Hltn 'sport = 4318' | awk '{print $4}' | sort -u)" 0.0.0.0:4318
ok "a tenant is added as root" run --user root "$image" headgatectl tenant add acme
TOKEN=$(run --user root "$image" headgatectl token issue acme --wait)
otlp logs -o "$T/body"
is "its records are accepted" "$(post /v1/logs "$T/body")" 200
like "and stored in the volume" "$(run "$image" headgatectl cat -n 1)" '"tenant":"acme"'
finish
