# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# machine.sh -- a qemu machine with a live systemd, made of Debian's own kernel and packages, for tests/vm; sourced after lib.sh. It has
# no network but its loopback: a root shell on its serial console is all that leads inside.
#
#	machine_base SUITE PACKAGE,...	the image, made once in the cache: before the test goes on without a network
#	machine_boot FILE...		starts it; the files are in /given there
#	guest COMMAND [TIME]		runs it there as root, bash with the functions of guest.sh; prints what it says, returns its status.
#					120s at most. All of it is in the transcript.
#	machine_end			powers it off
# TRANSCRIPT: the file. MACHINE_MEMORY: MiB (768). MACHINE_PATIENCE: how many times as long as said is waited (1), where others are at work.

: "${MACHINE_MEMORY:=768}" "${MACHINE_PATIENCE:=1}"
TRANSCRIPT=$ROOT/build/vm/$NAME.txt
MACHINE_COUNT=0 MACHINE_PID=''

machine_base()
{
	local suite=$1 wanted=$2 cache=${HEADGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/headgate} key
	wanted+=,linux-image-cloud-amd64,initramfs-tools,systemd-sysv,udev,dbus,kmod,procps,iproute2,curl,python3,logrotate
	key=$({ echo "$suite $wanted"; cat "$ROOT/tests/vm/console.service"; } | sha256sum | cut -c1-16)
	MACHINE_BASE=$cache/vm-$suite-$key
	mkdir -p "$cache"
	exec 9>"$cache/vm.lock"
	flock 9
	[ -e "$MACHINE_BASE/.whole" ] || machine_make "$suite" "$wanted" || return 1
	exec 9>&-
}

machine_make()
{
	local root=$T/made
	rm -rf "$MACHINE_BASE"
	mkdir -p "$MACHINE_BASE" "$root"
	machine_env nice mmdebstrap --quiet --variant=minbase --include="$2" "$1" - http://deb.debian.org/debian |
		tar --extract --directory="$root" || return 1
	cp "$ROOT/tests/vm/console.service" "$root/etc/systemd/system/"
	mkdir -p "$root/given" "$root/etc/systemd/system/multi-user.target.wants"
	ln -s ../console.service "$root/etc/systemd/system/multi-user.target.wants/"
	ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
	echo headgate-vm >"$root/etc/hostname"
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
	cp "$root"/boot/vmlinuz-* "$MACHINE_BASE/kernel" && cp "$root"/boot/initrd.img-* "$MACHINE_BASE/initrd" || return 1
	rm -rf "${root:?}/boot"
	mke2fs -q -t ext4 -d "$root" "$MACHINE_BASE/disk" 2G || return 1
	rm -rf "$root"
	touch "$MACHINE_BASE/.whole"
}

machine_boot()
{
	local accel=tcg
	# A /dev/kvm may be there where it cannot work.
	if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accel=kvm; fi
	tar --create --file="$T/given" --transform='s|.*/||' --absolute-names "$@" "$ROOT/tests/vm/guest.sh" || bail "no files to give"
	mkfifo "$T/tty.in" "$T/tty.out"
	exec {MACHINE_IN}<>"$T/tty.in" {MACHINE_OUT}<>"$T/tty.out"
	mkdir -p "${TRANSCRIPT%/*}"
	# Nothing of the disk is needed afterwards: a sync there is none here, where others may keep the disk busy for seconds.
	printf '# %s, %s, %s, by %s\n' "$(date -u +%F)" "${MACHINE_BASE##*/}" "$(qemu-system-x86_64 --version | head -n 1)" "$accel" >"$TRANSCRIPT"
	spawn "$T/qemu.log" nice qemu-system-x86_64 -accel "$accel" -m "$MACHINE_MEMORY" -smp 2 -display none -nodefaults -no-reboot -nic none \
		-chardev pipe,id=tty,path="$T/tty" -serial chardev:tty -kernel "$MACHINE_BASE/kernel" -initrd "$MACHINE_BASE/initrd" \
		-drive "file=$MACHINE_BASE/disk,if=virtio,format=raw,snapshot=on,cache=unsafe" -drive "file=$T/given,if=virtio,format=raw,readonly=on" \
		-append "console=ttyS0 root=/dev/vda rw quiet loglevel=1 systemd.show_status=false panic=-1 no_timer_check"
	MACHINE_PID=$SPAWNED
	WAY_BACKGROUND+=("$SPAWNED")
	machine_hear ready 600s >/dev/null || { cat "$T/qemu.log" "$TRANSCRIPT" >&2; bail "the machine does not boot"; }
	guest "PATIENCE=$MACHINE_PATIENCE; tar -xf /dev/vdb -C /given && . /given/guest.sh" >/dev/null || bail "the machine has not got its files"
}

# machine_hear WORD TIME: what it says up to the line "@@WORD STATUS"; returns that status.
machine_hear()
{
	local line='' part status end
	end=$((${EPOCHREALTIME/[.,]/} + $(to_us "$2") * MACHINE_PATIENCE))
	while ((${EPOCHREALTIME/[.,]/} < end)) && alive "$MACHINE_PID"; do
		# In time or not, what was read is read: the rest of the line comes later.
		IFS= read -rt 1 -u "$MACHINE_OUT" part
		status=$?
		line+=$part
		[ $status = 0 ] || continue
		line=${line%$'\r'}
		case $line in
		"@@$1 "*)	return "${line##* }" ;;
		*)	printf '%s\n' "$line" | tee -a "$TRANSCRIPT" ;;
		esac
		line=''
	done
	echo "(nothing more is heard)" | tee -a "$TRANSCRIPT"
	return 124
}

guest()
{
	local word=$BASHPID.$((++MACHINE_COUNT)).$RANDOM
	printf '\n# %s\n' "$1" >>"$TRANSCRIPT"
	printf '{ %s\n} </dev/null 2>&1; printf "\\n@@%s %%s\\n" $?\n' "$1" "$word" >&"$MACHINE_IN"
	# The empty line before the mark is ours.
	machine_hear "$word" "${2:-120s}" | sed '${/^$/d}'
	return "${PIPESTATUS[0]}"
}

machine_end()
{
	printf 'systemctl poweroff\n' >&"$MACHINE_IN"
	wait_until 60s gone "$MACHINE_PID"
}
