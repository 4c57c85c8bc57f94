/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_fakes.h -- before worker/conn.c in its tests: what of it is the test's own (conn_walk.h).
 */
#pragma once
#define stages_run fake_stages_run
#define req_finish fake_req_finish
#define beside_push fake_beside_push
#define beside_back fake_beside_back
#define recv counted_recv
#define send counted_send
