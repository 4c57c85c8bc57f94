/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h -- lines about requests from the running master (control command `tap`), for commands that
 * want to know where what they sent has gone.
 */
#pragma once
#include "tools/ctl/ctl.h"

struct tap;
/* Once it returns every worker looks out for these ids ("abc-*": all that begin so). NULL if no
 * gateway answers on the control socket, or it refuses: a notice says so unless nobody is there. */
struct tap *tap_open(struct ctl *c, const char *request_id) MUST_USE;
void tap_close(struct tap *t);
/* The next line; NULL at the time-out or when the tap has ended (then tap_ended()). */
json_t *tap_next(struct tap *t, msec_t timeout) MUST_USE;
bool tap_ended(const struct tap *t);
