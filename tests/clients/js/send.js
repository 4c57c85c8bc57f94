// SPDX-License-Identifier: Apache-2.0
//
// send.js RUN -- the unmodified OpenTelemetry JavaScript SDK sends two spans, a counter, a histogram and two logs, each with RUN in its
// name, by the exporters of all three signals: of protobuf, or of JSON if OTEL_EXPORTER_OTLP_PROTOCOL is http/json. Where to, whom to
// trust and who we are comes from the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, _CERTIFICATE, _HEADERS, _COMPRESSION). It prints
// a line for each signal, "traces ok" or "traces failed: why", and ends with status 1 if one failed. HEADGATE_SIGNALS: only these, by
// commas.
'use strict';
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const form = process.env.OTEL_EXPORTER_OTLP_PROTOCOL === 'http/json' ? 'http' : 'proto';
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${form}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${form}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${form}`);

const run = process.argv[2];
const resource = resourceFromAttributes({
	'service.name': 'sender-js',
	'way.run': run,
	tenant_id: 'forged-by-the-client', // must not survive
});

// The SDK swallows a failed export, so what the exporter was told is kept here.
function watched(exporter, outcome) {
	const send = exporter.export.bind(exporter);
	exporter.export = (items, done) => send(items, (result) => {
		if (result.code !== 0) outcome.failure = result.error || new Error('export failed');
		else outcome.sent = true;
		done(result);
	});
	return exporter;
}

const senders = {
	async traces(outcome) {
		const provider = new BasicTracerProvider({
			resource, spanProcessors: [new BatchSpanProcessor(watched(new OTLPTraceExporter(), outcome))],
		});
		const tracer = provider.getTracer('send.js', '1');
		for (const i of [0, 1]) {
			const span = tracer.startSpan(`${run}-span-${i}`, { attributes: { number: i, text: 'grüß', list: ['a', 'b'] } });
			span.addEvent('half-way');
			span.end();
		}
		await provider.forceFlush();
		await provider.shutdown();
	},
	async metrics(outcome) {
		const reader = new PeriodicExportingMetricReader({
			exporter: watched(new OTLPMetricExporter(), outcome), exportIntervalMillis: 3600000,
		});
		const provider = new MeterProvider({ resource, readers: [reader] });
		const meter = provider.getMeter('send.js', '1');
		meter.createCounter(`${run}-counter`).add(7, { kind: 'one' });
		meter.createHistogram(`${run}-histogram`).record(0.25, { kind: 'one' });
		await provider.forceFlush();
		await provider.shutdown();
	},
	async logs(outcome) {
		const provider = new LoggerProvider({
			resource,
			processors: [new BatchLogRecordProcessor({ exporter: watched(new OTLPLogExporter(), outcome) })],
		});
		const logger = provider.getLogger('send.js', '1');
		for (const i of [0, 1]) {
			logger.emit({ severityNumber: 9, severityText: 'INFO', body: `${run}-log-${i}`, attributes: { number: i } });
		}
		await provider.forceFlush();
		await provider.shutdown();
	},
};

async function main() {
	const signals = (process.env.HEADGATE_SIGNALS || 'traces,metrics,logs').split(',');
	let status = 0;
	for (const signal of signals) {
		const outcome = { sent: false, failure: null };
		try {
			await senders[signal](outcome);
		} catch (failure) {
			outcome.failure = outcome.failure || failure;
		}
		if (!outcome.failure && outcome.sent) {
			console.log(`${signal} ok`);
		} else {
			const why = outcome.failure || new Error('nothing was exported');
			console.log(`${signal} failed: ${why.code || ''} ${why.message}`.replace(/\s+/g, ' '));
			status = 1;
		}
	}
	process.exitCode = status;
}

main();
