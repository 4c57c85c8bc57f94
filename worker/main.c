/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- headgate-worker: makes the one struct worker and runs it. Started by the master with
 * one descriptor, the channel; alone it says its version, or what headgatectl asks (tool.h). Parses
 * no YAML, opens no configured file.
 */
#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "common/http_client.h"
#include "proto/encoding.h"
#include "proto/zstd.h"
#include "worker/auth.h"
#include "worker/life.h"
#include "worker/sandbox.h"
#include "worker/sink.h"
#include "worker/store_file.h"
#include "worker/tool.h"

enum { EXIT_USAGE = 2 };

static int say_version(void)
{
	char kafka[64], seccomp[64], sqlite[64], zstd[64], jose[64], curl[64];

	printf("headgate-worker %s (%s, %s)\n", HEADGATE_VERSION, HEADGATE_REVISION, HEADGATE_MODE);
	printf("  libevent %s (built with %s)\n", event_get_version(), LIBEVENT_VERSION);
	sink_kafka_version(kafka, sizeof(kafka));
	printf("  librdkafka %s\n", kafka);
	printf("  protobuf-c %s (built with %s)\n", protobuf_c_version(), PROTOBUF_C_VERSION);
	printf("  libdeflate (built with %s)\n", encoding_library());
	zstd_version(zstd, sizeof(zstd));
	printf("  libzstd %s\n", zstd);
	printf("  libsnappy (built with %s)\n", HEADGATE_SNAPPY);
	store_version(sqlite, sizeof(sqlite));
	printf("  SQLite %s\n", sqlite);
	sandbox_version(seccomp, sizeof(seccomp));
	printf("  libseccomp %s\n", seccomp);
	http_client_version(curl, sizeof(curl));
	printf("  libcurl %s\n", curl);
	auth_jwt_version(jose, sizeof(jose));
	printf("  cjose %s\n", jose);
	printf("  jansson %s (built with %s)\n", jansson_version_str(), JANSSON_VERSION);
	printf("  %s (built with %s)\n", OpenSSL_version(OPENSSL_VERSION), OPENSSL_VERSION_TEXT);
	return ferror(stdout) || fflush(stdout) ? EX_IOERR : 0;
}

int main(int argc, char **argv)
{
	static struct worker worker;

	if (argc == 2 && strcmp(argv[1], "-v") == 0)
		return say_version();
	if (tool_is(argc, argv))
		return tool_run(&worker, argc, argv);
	if (argc != 2 || strcmp(argv[1], "--channel") != 0) {
		fprintf(stderr,
		        "headgate-worker is started by headgate; by hand it only knows -v\n");
		return EXIT_USAGE;
	}
	return worker_live(&worker, CHANNEL_FD);
}
