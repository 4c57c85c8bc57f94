// SPDX-License-Identifier: Apache-2.0

//! micromegas-send RUN -- an instrumented process as micromegas' users write it: the unmodified telemetry sink sends its process, its
//! streams, and blocks of logs, metrics and spans, with RUN in the process and in each log. Where to and who we are comes from its own
//! variables (MICROMEGAS_TELEMETRY_URL, MICROMEGAS_INGESTION_API_KEY or MICROMEGAS_OIDC_*), spans from
//! MICROMEGAS_ENABLE_CPU_TRACING=true, whom to trust from SSL_CERT_FILE. All is handed to the sink at once; the process lives on until
//! its standard input ends, for at its own end the sink waits 5 s and no more.

use micromegas_telemetry_sink::TelemetryGuardBuilder;
use micromegas_tracing::dispatch::{flush_log_buffer, flush_metrics_buffer, flush_thread_buffer};
use micromegas_tracing::prelude::*;

#[span_fn]
fn work(run: &str, round: u64) {
    info!("{run} round {round} grüß");
    imetric!("way_rounds", "count", round);
    fmetric!("way_share", "ratio", 0.25);
}

fn main() {
    let run = std::env::args().nth(1).expect("RUN");
    let guard = TelemetryGuardBuilder::default()
        .with_auth_from_env()
        .with_process_property("run".into(), run.clone())
        .build()
        .expect("no telemetry");
    for round in 0..3 {
        work(&run, round);
    }
    flush_log_buffer();
    flush_metrics_buffer();
    flush_thread_buffer();
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("no standard input");
    drop(guard);
    println!("ended");
}
