#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 12-vmagent.sh -- vmagent 1.79 (Debian) and 1.151, which tries zstd first, send what they scrape
. "${0%/*}/lib.sh"
need kafka postgres
programs debian vmagent
gateway

# codes: how many requests of remote_write were answered with each status, "204:12 415:1"
codes() { metric requests_total '{route="remote_write"}' --list | grep -oE 'code="[0-9]+".* [0-9]+$' | sed -E 's/code="([0-9]+)".* ([0-9]+)$/\1:\2/' | sort | xargs; }

# scraped NAME PROGRAM [OPTION]...
scraped()
{
	local name=$1 web
	shift
	web=127.0.0.1:$(port_pick)
	rm -rf "$T/target"
	target 4
	cat >"$T/$name.yml" <<-EOF
	global: {scrape_interval: 3s, scrape_timeout: 3s}
	scrape_configs:
	  - {job_name: $name, honor_labels: true, honor_timestamps: true, static_configs: [{targets: ["$TARGET"]}]}
	EOF
	client "$name" "$@" -promscrape.config="$T/$name.yml" -remoteWrite.url="$URL/api/v1/write" -remoteWrite.tlsCAFile="$CA" \
		-remoteWrite.bearerTokenFile="$T/token" -remoteWrite.headers=X-Scope-OrgID:acme -remoteWrite.tmpDataPath="$T/$name/queue" \
		-remoteWrite.flushInterval=200ms -remoteWrite.queues=1 -httpListenAddr="$web"
	ok "$name: all that the target served arrives, and that it is gone" wait_until 90s whole "$name" "$WRITE_TOPIC"
	ok "$name: it ends by itself" client_stop "$name"
	judge "$name" "$WRITE_TOPIC"
	note "$name: $(jq -c '[.records, .series, .samples, .metadata]' "$T/facts") $(codes)"
	for each in missing alien labels twice; do is "$name: of what was served: $each" "$(fact $each)" '[]'; done
	is "$name: and says nothing of errors" "$(log_of "$name" $'\t(error|fatal|panic)\t')" ''
}

# P21 in its vmagent part
scraped vmagent-1.79 "$DEBIAN/usr/bin/vmagent"
is "1.79: every request was answered 204" "$(codes)" "204:$(fact records)"
scraped vmagent-1.151 "$VMAGENT/vmagent"
is "1.151: zstd was refused once, then it was snappy: 204" "$(codes)" "204:$(fact records) 415:1"
is "1.151: metadata came too" "$(fact missing_metadata)" '[]'
finish
