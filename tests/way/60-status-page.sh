#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 60-status-page.sh -- the status page: one page of HTML without script or anything from elsewhere, with the facts of /status.json, each value
# escaped, errors of the dead too (O19; operations.md 7, 8: Alarm)
. "${0%/*}/lib.sh"

# What a browser would make of a page: a line a fact.
cat >"$T/read.py" <<'END'
import html.parser, re, sys

AWAY = re.compile(r"(?i)https?:|//[a-z]|javascript:|url\(|@import")
VOID = {"meta", "link", "br", "img", "rect", "input", "hr"}

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.cells, self.title = [], None, ""
    def handle_starttag(self, tag, attrs):
        print("tag", tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "href", "action", "style", "srcset", "xlink:href"):
                print("attribute", name, value)
            if AWAY.search(value or ""):
                print("url", value)
            if name == "http-equiv":
                print("refresh", dict(attrs)["content"])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells = []
        if tag in ("td", "th") and self.cells is not None:
            self.cells.append("")
    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()
    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            print("unbalanced", tag, self.open)
            return
        self.open.pop()
        if tag == "tr":
            print("row", "|".join(" ".join(c.split()) for c in self.cells))
            self.cells = None
        if tag in ("h1", "h2", "p"):
            print(tag, " ".join(self.title.split()))
        if tag != "span":
            self.title = ""
    def handle_data(self, data):
        self.title += data
        if self.open and self.open[-1] == "style" and AWAY.search(data):
            print("url", data)
        if self.cells and self.open[-1] in ("td", "th", "span"):
            self.cells[-1] += data

text = open(sys.argv[1], encoding="utf-8", newline="").read()
page = Page()
page.feed(text)
page.close()
if page.open:
    print("unbalanced", page.open)
END
shown() { admin /status -o "$T/page" -D "$T/page.head" && python3 "$T/read.py" "$T/page" >"$T/shown"; }
facts() { admin /status.json >"$T/status.json"; }
has() { shown && grep -qE "$1" "$T/shown"; }
json() { facts && jq -er "$1" "$T/status.json"; }

# A certificate of 90 days; an issuer whose keys nobody has, and whose name is a trap.
certs
cert_new page 90
cp "$T/page.pem" "$T/cert.pem"
cp "$T/page.key" "$T/key.pem"
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base tls local file 2
conf "auth.jwt.0={name: trap, issuer: \"https://id.example/?a=1&lt;='\", jwks_uri: \"http://127.0.0.1:$(port_pick)/keys\", audiences: [telemetry]}"
headgate_start
otlp logs -o "$T/body"
is "a record is taken" "$(post /v1/logs "$T/body")" 200

# ---- what it is ----
ok "the page is there" shown
like "it is HTML" "$(tr -d '\r' <"$T/page.head")" $'^HTTP/1.1 200 OK\n.*Content-Type: text/html; charset=utf-8'
like "with a policy" "$(tr -d '\r' <"$T/page.head")" "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'"$'(\n|$)'
is "its tags are balanced" "$(grep ^unbalanced "$T/shown")" ""
is "it has no script" "$(grep -E '^tag (script|iframe|object|embed|link|img|form|base)$' "$T/shown")" ""
is "nothing from elsewhere, and no handlers" "$(grep -E '^(url|attribute)' "$T/shown")" ""
is "it comes again each 10 s" "$(grep ^refresh "$T/shown")" "refresh 10"
ok "bars are drawn in place" grep -qx 'tag svg' "$T/shown"
is "POST is refused" "$(admin /status -X POST -d x -o "$T/reply" -D "$T/reply.head" -w '%{http_code}') $(reply_header Allow)" "405 GET, HEAD"
is "HEAD gets none of it" "$(admin /status -I -o "$T/reply" -w '%{http_code} %{size_download}')" "200 0"
is "the public has no such page" "$(get /status)" 404

# ---- what it says, and /status.json with it ----
ok "the master has spoken" wait_until 20s has '^row uptime\|[0-9]+ (s|min), since 20'
ok "one document holds it" json .started_at
like "version, generation, last reload" "$(grep ^row "$T/shown" | head -5)" \
	$'row version\\|[0-9.]+ \\(.*row generation\\|1\n.*row last reload\\|ok, 20'
is "the workers" "$(grep -cE "^row [01]\|[0-9]+\|1\|[0-9]+\|[0-9]+ ms ago\|[0-9.]+ [MG]iB$" "$T/shown")" 2
is "they are those that run" "$(json '.workers[].pid' | sort)" "$(workers | sort)"
like "source, age and entries of the tenant table" "$(<"$T/shown")" $'row source\\|file, [^\n]*\n.*row age\\|[^\n]*fresh\n.*row entries\\|1 tenants, 1 tokens'
ok "the tenant that sent" wait_until 20s has '^row acme\|1\|1\|1\|0\|0\|0\|[0-9.]+ K?i?B$'
is "in the document too" "$(json '.top_tenants[0] | [.tenant, .requests, .delivered] | @csv')" '"acme",1,1'
ok "the sink" wait_until 20s has '^row store\|[0-9.]+ [KM]iB of '
like "by its name" "$(<"$T/shown")" $'row sink\\|local\n.*row store'
like "the certificate" "$(<"$T/shown")" $'row [^\n|]+\\|[^\n|]*cert.pem\\|20[^\n|]+Z\\|(89|90)'
ok "the issuer without keys, and why" has "^row https://id\.example/\?a=1&lt;='\|0\|never\|.+"
is "the certificate's days, as the master's own status has them" "$(json '.certificates[0].days_left')" \
	"$("$HEADGATECTL" --socket "$HG_DIR/control.sock" --json status | jq -r '.certificates[0].days_left')"
is "no error yet" "$(json '.errors | length')" 0

# ---- errors: of the master, of a worker, of a dead one; escaped ----
expect_err 'mod=(reload|audit|workers)'
cp "$HG_DIR/headgate.yaml" "$T/good.yaml"
echo '"<b>&\"<script>": 1' >>"$HG_DIR/headgate.yaml"
ok "a reload fails" fails "$HEADGATECTL" --socket "$HG_DIR/control.sock" reload
ok "and is told on the page" wait_until 20s has '^row last reload\|config, 20.*<b>&"<script>'
ok "as an error of the master" wait_until 20s has '^row 20[^|]+Z\|master\|reload\|.*<b>&'
is "its text opens no tag" "$(grep -E '^tag (b|script)$' "$T/shown")" ""
like "since it is escaped" "$(<"$T/page")" '&lt;b&gt;&amp;[\]?&quot;&lt;script&gt;'

cp "$T/good.yaml" "$HG_DIR/headgate.yaml"
conf log.access_file=/dev/full
ok "a reload to an access log that can't be written" headgate_switch
is "data is taken all the same" "$(post /v1/logs "$T/body")" 200
ok "the alarm of a worker is there" wait_until 20s has '^row 20[^|]+Z\|worker [01]\|audit\|.*No space left'
slot=$(json '[.errors[] | select(.module == "audit")][0].worker')
at=$(json '[.errors[] | select(.module == "audit")][0].at')
victim=$(json ".workers[] | select(.slot == $slot and .generation == 2) | .pid")
kill -KILL "$victim"
replaced() { json ".workers[] | select(.slot == $slot) | .pid" | grep -vqx "$victim"; }
ok "it is killed, and another takes its place" wait_until 20s replaced
ok "its last error stays" wait_until 20s has "^row $at\|worker $slot\|audit\|"
ok "its death is an error of the master" wait_until 20s has "^row 20[^|]+Z\|master\|workers\|worker ended unasked .*pid=$victim"
ok "those that ended unasked are counted" wait_until 20s has '^p .*1 ended unasked'
is "the newest is the first" "$(json '.errors | map(.at) | . == (sort | reverse)')" true
same() { shown && [ "$(grep -cE '^row 20[^|]+Z\|(master|worker [0-9]+)\|' "$T/shown")" = "$(json '.errors | length')" ]; }
ok "page and document tell the same ones" wait_until 20s same
finish
