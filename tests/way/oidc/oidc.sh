# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# oidc.sh -- a real identity provider (mock-oauth2-server), private to its caller, in $T/oidc-NAME, which dies with the shell that
# started it. Sourced by lib.sh, whose head documents the functions for tests. Needs base.sh.

declare -A OIDC_PIDS=() OIDC_STARTS=()

# oidc_start NAME [JSON]: a new provider with that configuration; sets OIDC_URL. OIDC_HEAP: its memory (96m).
oidc_start()
{
	local name=$1 dir=$T/oidc-$1 tries
	for tries in 1 2 3; do
		rm -rf "$dir"
		mkdir -p "$dir"
		printf '%s\n' "${2:-{\}}" >"$dir/config.json"
		port_pick >"$dir/port"
		OIDC_STARTS[$name]=0
		oidc_up "$name" && break
		grep -q 'Address already in use' "$dir"/server.*.log && ((tries < 3)) && continue
		tail -n 20 "$dir"/server.*.log >&2
		bail "the identity provider $name does not start"
	done
	OIDC_URL=http://127.0.0.1:$(cat "$dir/port")
}

# oidc_up NAME: starts the stopped or killed provider NAME where it was, with new keys. It logs nothing when it is ready.
oidc_up()
{
	local dir=$T/oidc-$1 log jars
	jars=$(machine_env "$WAY/tools/cached" oidc) || bail "mock-oauth2-server can't be fetched"
	log=$dir/server.$((++OIDC_STARTS[$1])).log
	spawn "$log" env SERVER_HOSTNAME=127.0.0.1 SERVER_PORT="$(cat "$dir/port")" JSON_CONFIG_PATH="$dir/config.json" \
		java -Xms32m -Xmx"${OIDC_HEAP:-96m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
		-cp "$jars/*" no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt
	OIDC_PIDS[$1]=$SPAWNED
	wait_until 60s oidc_settled "$1" && alive "$SPAWNED"
}

oidc_settled() { curl -sf --max-time 5 -o /dev/null "http://127.0.0.1:$(cat "$T/oidc-$1/port")/isalive" || gone "${OIDC_PIDS[$1]}"; }

oidc_pid()
{
	[ -n "${OIDC_PIDS[$1]-}" ] || bail "no identity provider $1 (oidc_start $1)"
	OIDC_PID=${OIDC_PIDS[$1]}
}

oidc_stop() { oidc_pid "$1"; end_pid "$OIDC_PID" TERM 30s; }
oidc_kill() { oidc_pid "$1"; end_pid "$OIDC_PID" KILL; }
oidc_freeze() { oidc_pid "$1"; kill -STOP "$OIDC_PID"; }
oidc_thaw() { oidc_pid "$1"; kill -CONT "$OIDC_PID"; }

oidc_restart()
{
	oidc_kill "$1"
	oidc_up "$1" || bail "the identity provider $1 does not come back"
}

# oidc_token ISSUER [FIELD=VALUE]...: an access token by client credentials, of the client `me` if no client_id is given.
oidc_token()
{
	local field fields=(-d grant_type=client_credentials -d client_secret=any)
	[[ " ${*:2}" == *" client_id="* ]] || fields+=(-d client_id=me)
	for field in "${@:2}"; do fields+=(--data-urlencode "$field"); done
	curl -sf --max-time 20 "${fields[@]}" "$OIDC_URL/$1/token" | jq -re .access_token || bail "no token of $OIDC_URL/$1"
}

# At the end, when no more is to be learnt from them.
oidc_end_all()
{
	local name
	for name in "${!OIDC_PIDS[@]}"; do end_pid "${OIDC_PIDS[$name]}" KILL; done
}
