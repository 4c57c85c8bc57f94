#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 87-ctl-completion.sh -- the scripts that headgatectl makes of its table complete commands, options, words and files, in bash, zsh and fish,
# each typed into as by a person
. "${0%/*}/lib.sh"
mkdir -p "$T/zsh" "$T/files/only-folder"
touch "$T/files/token-of-mine" "$T/files/conf-one"
for shell in bash zsh fish; do
	"$HEADGATECTL" completion "$shell" >"$T/$shell.script" || fail "a script for $shell"
done
"$HEADGATECTL" completion tcsh 2>"$T/said"
like "of a shell that it does not know it says which it knows" "$? $(cat "$T/said")" "^2 .*bash, zsh or fish"
ok "bash's has nothing to mend" shellcheck -s bash "$T/bash.script"
# All that the help shows is in each of them.
"$HEADGATECTL" help | sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,1\}\) .*/\1/p' >"$T/commands"
while read -r command; do "$HEADGATECTL" help $command; done <"$T/commands" | sed -n 's/^  \(-[a-z], \)\{0,1\}--\([a-z-]*\) .*/\2/p' | sort -u >"$T/options"
like "the help tells of many" "$(wc -l <"$T/commands") $(wc -l <"$T/options")" '^[2-9][0-9] [3-9][0-9]$'
missing() { local each; while read -r each; do grep -qF -e "$2${each##* }" "$T/$1.script" || echo "$1: $each"; done; }
is "every command is in every script" "$(for shell in bash zsh fish; do missing "$shell" '' <"$T/commands"; done)" ""
is "every option too" "$(missing bash -- <"$T/options"; missing zsh -- <"$T/options"; missing fish '-l ' <"$T/options")" ""

# ---- what each shell makes of it ----
# typed SHELL COMMAND...: what is run when the lines of "$T/keys" are typed
typed()
{
	local shell=$1
	shift
	mkdir -p "$T/$shell"
	python3 "$WAY/tools/complete.py" "$T/$shell" env HOME="$T" "$@" <"$T/keys" 2>"$T/$shell/shown"
}
cat >"$T/keys" <<EOF
headgatectl gene\tha\t --js\t
headgatectl comp\tfi\t
headgatectl -c $T/files/conf\tten\tsh\tacme
headgatectl --socket $T/files/conf\tstatu\t
headgatectl send --tok\t$T/files/tok\t--sig\ttra\t
headgatectl send --signal=met\t
headgatectl cat --di\t$T/files/only\t
headgatectl snip\totel-e\t--inl\t
headgatectl help tok\tver\t
headgatectl import-m\t$T/files/tok\t
EOF
want="<generate><hash-token><--json>
<completion><fish>
<-c><$T/files/conf-one><tenant><show><acme>
<--socket><$T/files/conf-one><status>
<send><--token-file><$T/files/token-of-mine><--signal><traces>
<send><--signal=metrics>
<cat><--dir><$T/files/only-folder/>
<snippet><otel-env><--inline>
<help><token><verify>
<import-moose><$T/files/token-of-mine>"
# zsh and fish write --option=, and their values behind it; a / that was put there may go again.
plain() { sed 's/=\(traces\|metrics\)/><\1/g; s/=\//><\//g; s|/>|>|g; s/<[^<>]*only-folder.*/<FOLDER>/'; }

mkdir -p "$T/bash"
cat >"$T/bash/setup" <<EOF
. $T/bash.script
headgatectl() { printf '<%s>' "\$@"; echo; } >>$T/bash/ran
touch $T/bash/ready
EOF
# offered WORD...: what bash is told of the last one
offered()
{
	bash --norc -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _headgatectl; printf "%s\n" "${COMPREPLY[@]}"' - "$T/bash.script" headgatectl "$@" | xargs
}
is "bash: what has two words has the second" "$(offered tenant '')" "$("$HEADGATECTL" help | sed -n 's/^  tenant \([a-z]*\) .*/\1/p' | xargs)"
is "an option of another command is not offered" "$(offered status --tok)" ""
is "nor is anything where only the user can know" "$(offered tenant show '')$(offered -q tenant add --bytes '')$(offered send --url h)" ""
is "nor behind help COMMAND" "$(offered help send --)$(offered help status '')" ""
is "a value behind = is a value" "$(offered cat --signal = e)" events
is "what is no command has no options" "$(offered nonsense --tok)" ""
is "bash" "$(typed bash bash --norc --noprofile -i | plain)" "$(plain <<<"$want")"

if command -v zsh >/dev/null; then
	mkdir -p "$T/zsh/functions"
	cp "$T/zsh.script" "$T/zsh/functions/_headgatectl"
	cat >"$T/zsh/setup" <<EOF
fpath=($T/zsh/functions \$fpath)
autoload -U compinit
compinit -u -d $T/zsh/dump
headgatectl() { { printf '<%s>' "\$@"; echo } >>$T/zsh/ran }
touch $T/zsh/ready
EOF
	is "zsh" "$(typed zsh zsh -f -i | plain)" "$(plain <<<"$want")"
else
	skip zsh "no zsh"
fi

if command -v fish >/dev/null; then
	mkdir -p "$T/fish"
	cat >"$T/fish/setup" <<EOF
source $T/fish.script
function headgatectl; printf '<%s>' \$argv >>$T/fish/ran; echo >>$T/fish/ran; end
touch $T/fish/ready
EOF
	is "fish: commands are told by their help" "$(fish --no-config -c "source $T/fish.script; complete -C 'headgatectl -q tenant s'")" \
		"$("$HEADGATECTL" help | sed -n 's/^  tenant \(s[a-z]*\) [A-Z]* */\1\t/p' | sed 's/ (.*//' | sort)"
	is "fish" "$(typed fish fish --no-config -i | plain)" "$(plain <<<"$want")"
else
	skip fish "no fish"
fi
finish
