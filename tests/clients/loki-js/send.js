// SPDX-License-Identifier: Apache-2.0
//
// send.js CLIENT RUN -- an unmodified logger sends three lines to LOKI_URL, each with RUN in it: pino (pino-loki: JSON), winston
// (winston-loki: protobuf) or winston-json. LOKI_TOKEN is the password of Basic, LOKI_USER its user; LOKI_BEARER=1 sends it as a
// header instead. The last line is "ok", or "failed: why" with status 1; whom to trust comes from NODE_EXTRA_CA_CERTS.
'use strict';

const [client, run] = process.argv.slice(2);
const host = process.env.LOKI_URL;
const username = process.env.LOKI_USER || '';
const password = process.env.LOKI_TOKEN;
const bearer = process.env.LOKI_BEARER ? { Authorization: `Bearer ${password}` } : {};
const lines = ['grüß "dich"', 'two\nlines', '\u{1f600}'].map((text) => `${run} ${text}`);

// It prints what it could not send, and drops it.
async function pino() {
	const { pinoLoki } = require('pino-loki');
	const complain = console.error;
	let failure;
	console.error = (...all) => { failure = failure || all.map(String).join(' '); };
	const stream = pinoLoki({
		host, headers: bearer, basicAuth: process.env.LOKI_BEARER ? undefined : { username, password },
		labels: { job: run, tenant_id: 'forged-by-the-client' }, batching: { interval: 1 }, structuredMetaKey: 'meta', propsToLabels: [],
	});
	const logger = require('pino')({}, stream);
	for (const [i, line] of lines.entries()) logger.info({ meta: { number: String(i), tenant_id: 'forged-by-the-client' } }, line);
	const closed = new Promise((done) => stream.on('close', done));
	stream.end();
	await closed;
	console.error = complain;
	if (failure) throw new Error(failure);
}

async function winston(json) {
	const LokiTransport = require('winston-loki');
	let failure;
	const transport = new LokiTransport({
		host, json, headers: bearer, basicAuth: process.env.LOKI_BEARER ? undefined : `${username}:${password}`,
		labels: { job: run, tenant_id: 'forged-by-the-client' }, interval: 1, gracefulShutdown: false,
		onConnectionError: (error) => { failure = failure || error; },
	});
	const logger = require('winston').createLogger({ transports: [transport] });
	for (const line of lines) logger.info(line);
	const first = new Promise((done) => {
		const timer = setInterval(() => {
			if (!failure) return;
			clearInterval(timer);
			done();
		}, 50);
		transport.flush().then(() => { clearInterval(timer); done(); });
	});
	await first;
	if (failure) throw new Error(String(failure));
}

const clients = { pino, winston: () => winston(false), 'winston-json': () => winston(true) };
clients[client]().then(
	() => { console.log('ok'); process.exit(0); },
	(error) => { console.log(`failed: ${error.message.split('\n')[0]}`); process.exit(1); },
);
