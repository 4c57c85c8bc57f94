# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# root.sh -- a Debian root of a test's own, in which the stand-in for systemd does what maintainer scripts and an administrator ask of
# systemctl. Sourced by tests/life, and by tests/way/94-life.sh, after lib.sh.
#
#	base_root DEB		BASE: a bare root with what DEB depends on, made once in the cache; it may need a network
#	own_namespaces VAR=VALUE...	the test starts over, alone with its network and processes, with these variables
#	root_begin		unpacks BASE as $root, and starts the stand-in: after need netns. Without BASE $root is this system, to
#				which nothing that happens there comes back
#	inside COMMAND...	there, as root
#	pid			of the master
#	asked			what systemctl was asked for, in order
#	knock_begin, many N, knock_end	a client that posts under load, over a connection of its own each time

base_root()
{
	local deb=$1 cache=${HEADGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/headgate} suite wanted
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	wanted=$(dpkg-deb -f "$deb" Depends | sed 's/|[^,]*//g; s/([^)]*)//g; s/ //g'),logrotate,procps
	BASE=$cache/root-$suite-$(sha256sum <<<"$wanted" | cut -c1-16).tar
	mkdir -p "$cache"
	exec 9>"$cache/root.lock"
	flock 9
	[ -e "$BASE" ] ||
		{ machine_env mmdebstrap --quiet --variant=minbase --include="$wanted" "$suite" "$BASE.new.tar" >&2 && mv "$BASE.new.tar" "$BASE"; } ||
		return 1
	exec 9>&-
}

own_namespaces()
{
	rm -rf "$T"
	trap - EXIT TERM INT
	exec env -u WAY_KAFKA_BROKERS -u WAY_PG_PORT WAY_NETNS=1 BASE="$BASE" "$@" \
		unshare --mount --net --pid --fork --kill-child --mount-proc -- bash "$0" >&3
}

root_begin()
{
	root=$T/root
	mkdir "$root" "$T/sd"
	if [ -n "$BASE" ]; then
		tar -xf "$BASE" -C "$root" || bail "can't unpack $BASE"
	else
		mkdir "$T/apart"
		mount -t tmpfs -o mode=755 tmpfs "$T/apart" && mkdir "$T"/apart/{upper,scratch} &&
			mount -t overlay -o "lowerdir=/,upperdir=$T/apart/upper,workdir=$T/apart/scratch" overlay "$root" || skip_all "an overlay"
		mount -t tmpfs tmpfs "$root/run"
		mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
		mount --bind /dev "$root/dev"
	fi
	mkdir -p "$root$T/sd" "$root/packages" "$root/run/systemd/system"
	trap root_end EXIT
	mount -t proc proc "$root/proc"
	mount --bind "$T/sd" "$root$T/sd"
	# Where everybody looks: rpm's scriptlets have a path of their own.
	mv "$root/usr/bin/systemctl" "$root/usr/bin/systemctl.real"
	standin_systemctl >"$root/usr/bin/systemctl"
	printf '#!/bin/sh\n[ "$1" = headgate.service ] || exit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/bin/systemctl" "$root/usr/sbin/policy-rc.d"
	background bash "$WAY/tools/standin.sh" "$T/sd" "$root"
	wait_until 30s test -p "$T/sd/never"
}

# Before anything is removed, what is mounted there goes.
root_end()
{
	umount --lazy "$root/proc" "$root$T/sd"
	[ -n "$BASE" ] || umount --lazy "$root"/{run,tmp,dev} "$root" "$T/apart"
	at_exit
}

# What needs no manager, the real one does.
standin_systemctl()
{
	cat <<END
#!/bin/sh
ask()
{
	echo "\$1" >"$T/sd/ask"
	read -r status <"$T/sd/answer"
	return "\$status"
}
now=''
for word; do
	shift
	case \$word in
	--now)	now=y ;;
	*)	set -- "\$@" "\$word" ;;
	esac
done
for word; do
	case \$word in
	-*)	;;
	start|restart|stop|reload|is-active|daemon-reload)
		ask "\$word"
		exit ;;
	*)	break ;;
	esac
done
/usr/bin/systemctl.real "\$@" || exit
case \$now\$word in
yenable)	ask start ;;
ydisable)	ask stop ;;
esac
END
}

inside() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
pid() { cat "$T/sd/pid"; }
asked() { cut -d' ' -f1 "$T/sd/asked" | grep -vE 'is-active|daemon-reload' | xargs; }

knock_begin()
{
	background python3 "$WAY/tools/knock.py" "$URL" "$T/body" --token "$TOKEN" --results "$T/knocked"
	KNOCKING=$SPAWNED
	wait_until 30s many 20
}
many() { [ "$(wc -l <"$T/knocked")" -ge "$1" ]; }
# knock_end: what became of them, counted.
knock_end()
{
	end_pid "$KNOCKING" TERM 35s
	sort "$T/knocked" | uniq -c | xargs
}
