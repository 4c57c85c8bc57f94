/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_online.h -- `headgate -t --online`: what the configuration names elsewhere, asked as the
 * service would ask it. Called by main.c, after all other checks; changes nothing anywhere.
 */
#pragma once
#include "conf/yaml.h"

/* The database is read to its end (connection, schema, rights, LISTEN probe, rows), each issuer is
 * asked for its keys, and the worker program asks the brokers for the configured topics. What does
 * not answer as it should is an error, what only degrades a warning, all in r. */
void check_online(const struct conf *conf, struct conf_report *r, const char *file);
