// SPDX-License-Identifier: Apache-2.0

// otelsend RUN -- the unmodified OpenTelemetry Go SDK sends two spans, a counter, a histogram and two logs, each with RUN in its name, by
// the protobuf exporters of all three signals. Where to, whom to trust and who we are comes from the standard variables
// (OTEL_EXPORTER_OTLP_ENDPOINT, _CERTIFICATE, _HEADERS, _COMPRESSION). It prints a line for each signal, "traces ok" or "traces failed:
// why", and ends with status 1 if one failed. HEADGATE_SIGNALS: only these, by commas.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func described(run string) *resource.Resource {
	return resource.NewSchemaless(
		attribute.String("service.name", "sender-go"),
		attribute.String("way.run", run),
		attribute.String("tenant_id", "forged-by-the-client"), // must not survive
	)
}

// A flush of spans says nothing of a failed export, so what the exporter was told is kept here.
type watched struct {
	sdktrace.SpanExporter
	failure error
}

func (w *watched) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := w.SpanExporter.ExportSpans(ctx, spans)
	if w.failure == nil {
		w.failure = err
	}
	return err
}

func sendTraces(ctx context.Context, run string) error {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	told := &watched{SpanExporter: exporter}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(told, sdktrace.WithExportTimeout(2*time.Minute)), sdktrace.WithResource(described(run)))
	tracer := provider.Tracer("main.go", trace.WithInstrumentationVersion("1"))
	for i := 0; i < 2; i++ {
		_, span := tracer.Start(ctx, fmt.Sprintf("%s-span-%d", run, i), trace.WithAttributes(
			attribute.Int("number", i), attribute.String("text", "grüß"), attribute.StringSlice("list", []string{"a", "b"})))
		span.AddEvent("half-way")
		span.End()
	}
	if err := provider.ForceFlush(ctx); err != nil {
		return err
	}
	if err := provider.Shutdown(ctx); err != nil {
		return err
	}
	return told.failure
}

func sendMetrics(ctx context.Context, run string) error {
	exporter, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return err
	}
	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(time.Hour), sdkmetric.WithTimeout(2*time.Minute))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(described(run)))
	meter := provider.Meter("main.go", metric.WithInstrumentationVersion("1"))
	counter, err := meter.Int64Counter(run + "-counter")
	if err != nil {
		return err
	}
	histogram, err := meter.Float64Histogram(run + "-histogram")
	if err != nil {
		return err
	}
	kind := metric.WithAttributes(attribute.String("kind", "one"))
	counter.Add(ctx, 7, kind)
	histogram.Record(ctx, 0.25, kind)
	if err := provider.ForceFlush(ctx); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

func sendLogs(ctx context.Context, run string) error {
	exporter, err := otlploghttp.New(ctx)
	if err != nil {
		return err
	}
	processor := sdklog.NewBatchProcessor(exporter, sdklog.WithExportTimeout(2*time.Minute))
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(processor), sdklog.WithResource(described(run)))
	logger := provider.Logger("main.go", log.WithInstrumentationVersion("1"))
	for i := 0; i < 2; i++ {
		var record log.Record
		record.SetTimestamp(time.Unix(1700000000, 0))
		record.SetSeverity(log.SeverityInfo)
		record.SetSeverityText("INFO")
		record.SetBody(attribute.StringValue(fmt.Sprintf("%s-log-%d", run, i)))
		record.AddAttributes(attribute.Int("number", i))
		logger.Emit(ctx, record)
	}
	if err := provider.ForceFlush(ctx); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

func main() {
	senders := map[string]func(context.Context, string) error{"traces": sendTraces, "metrics": sendMetrics, "logs": sendLogs}
	signals := os.Getenv("HEADGATE_SIGNALS")
	if signals == "" {
		signals = "traces,metrics,logs"
	}
	status := 0
	for _, signal := range strings.Split(signals, ",") {
		if err := senders[signal](context.Background(), os.Args[1]); err != nil {
			fmt.Println(signal, "failed:", strings.Join(strings.Fields(err.Error()), " "))
			status = 1
		} else {
			fmt.Println(signal, "ok")
		}
	}
	os.Exit(status)
}
