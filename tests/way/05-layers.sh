#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 05-layers.sh -- tools/check-layers sees an include that crosses a layer, a library's door, or a stage's border
. "${0%/*}/lib.sh"

mkdir -p "$T/tree"
for layer in common conf proto master worker; do
	mkdir "$T/tree/$layer"
	cp "$ROOT/$layer"/*.[ch] "$T/tree/$layer/"
done
cd "$T/tree" || bail "no copy of the tree"

says() { # says SENTENCE FILE INCLUDE REGEX: with that line in that file the tool fails and names it
	local out
	cp "$2" "$T/kept"
	sed -i "1a #include $3" "$2"
	out=$("$ROOT/tools/check-layers" "$T/tree") && out="the tool has nothing to say"
	cp "$T/kept" "$2"
	like "$1" "$out" "$2:2: $4"
}

ok "the tree as it stands breaks no rule" "$ROOT/tools/check-layers" "$T/tree"
says "the master that includes the worker is named" master/status.c '"worker/req.h"' 'master must not include worker/'
says "common code that includes the configuration is named" common/log.c '"conf/conf.h"' 'common must not include conf/'
says "a second door to libpq is named" master/status.c '<libpq-fe.h>' 'only master/pg_private.h may'
says "by its other path too" master/status.c '<postgresql/libpq-fe.h>' 'only master/pg_private.h may'
says "a second door to TLS is named" worker/conn.c '<openssl/ssl.h>' 'only worker/tls.c may'
for file in worker/head.c worker/sink_kafka.c worker/dialects.c; do
	says "a connection in $file is named" "$file" '"worker/conn.h"' 'a stage never includes conn'
done
says "a provider in another is named" worker/auth_token.c '"worker/auth_none.h"' 'a provider never includes another'
finish
