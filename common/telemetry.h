/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry.h -- the signals, as records, metrics and scopes name them (records.md 1).
 */
#pragma once
#include "common/base.h"

enum signal { SIGNAL_TRACES, SIGNAL_METRICS, SIGNAL_LOGS, SIGNAL_EVENTS, SIGNAL_OPAQUE, SIGNAL_COUNT };

static inline const char *signal_name(enum signal s)
{
	static const char *const names[SIGNAL_COUNT] = { "traces", "metrics", "logs", "events", "opaque" };

	return names[s];
}

/* What a token may do: bit set of `1u << signal`; SCOPE_ALL is "*". "traces:write" and so on. */
enum { SCOPE_ALL = (1u << SIGNAL_COUNT) - 1 };
