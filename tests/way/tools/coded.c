/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coded.c -- standard input in a content coding, as clients send it, on standard output: what the
 * tools of a bare system cannot make (raw deflate, zstd, blocks of snappy). Called by way tests.
 */
#include <libdeflate.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static const char usage[] = "usage: coded gzip|zlib|raw|zstd|zstd-unsized|snappy [LEVEL] <IN >OUT\n"
			    "zstd says its size and has a checksum, zstd-unsized neither\n";

static void die(const char *why)
{
	fprintf(stderr, "coded: %s\n", why);
	exit(1);
}

static void *room_of(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		die("out of memory");
	return p;
}

static uint8_t *read_all(size_t *n)
{
	size_t cap = 1 << 16;
	uint8_t *p = room_of(cap);

	*n = 0;
	while (!feof(stdin)) {
		*n += fread(p + *n, 1, cap - *n, stdin);
		if (ferror(stdin))
			die("can't read");
		if (*n == cap) {
			uint8_t *more = realloc(p, cap *= 2);

			if (!more)
				die("out of memory");
			p = more;
		}
	}
	return p;
}

static uint8_t *deflated(const char *how, int level, const uint8_t *in, size_t n, size_t *out_n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t cap;
	uint8_t *out;

	if (!c)
		die("no such level");
	cap = libdeflate_gzip_compress_bound(c, n);
	out = room_of(cap);
	if (strcmp(how, "gzip") == 0)
		*out_n = libdeflate_gzip_compress(c, in, n, out, cap);
	else if (strcmp(how, "zlib") == 0)
		*out_n = libdeflate_zlib_compress(c, in, n, out, cap);
	else
		*out_n = libdeflate_deflate_compress(c, in, n, out, cap);
	libdeflate_free_compressor(c);
	if (*out_n == 0)
		die("it does not fit");
	return out;
}

static uint8_t *zstd(bool whole, int level, const uint8_t *in, size_t n, size_t *out_n)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t cap = ZSTD_compressBound(n);
	uint8_t *out = room_of(cap);

	if (!c)
		die("out of memory");
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, whole);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, whole);
	*out_n = ZSTD_compress2(c, out, cap, in, n);
	if (ZSTD_isError(*out_n))
		die(ZSTD_getErrorName(*out_n));
	ZSTD_freeCCtx(c);
	return out;
}

static uint8_t *snappy(const uint8_t *in, size_t n, size_t *out_n)
{
	uint8_t *out = room_of(*out_n = snappy_max_compressed_length(n));

	if (snappy_compress((const char *)in, n, (char *)out, out_n) != SNAPPY_OK)
		die("it does not fit");
	return out;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int level = argc > 2 ? atoi(argv[2]) : 6;
	size_t n, out_n;
	uint8_t *in, *out;

	if (argc < 2 || argc > 3 || !strstr(" gzip zlib raw zstd zstd-unsized snappy ", how)) {
		fputs(usage, stderr);
		return 2;
	}
	in = read_all(&n);
	if (strncmp(how, "zstd", 4) == 0)
		out = zstd(strcmp(how, "zstd") == 0, level, in, n, &out_n);
	else if (strcmp(how, "snappy") == 0)
		out = snappy(in, n, &out_n);
	else
		out = deflated(how, level, in, n, &out_n);
	if (fwrite(out, 1, out_n, stdout) != out_n || fflush(stdout))
		die("can't write");
	free(in);
	free(out);
	return 0;
}
