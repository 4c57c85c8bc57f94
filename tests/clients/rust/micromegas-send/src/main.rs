// SPDX-License-Identifier: Apache-2.0

//! micromegas-send RUN -- an instrumented process as micromegas' users write it: the unmodified telemetry sink sends its process, its
//! streams and blocks of logs, metrics and spans, each with RUN in it. Where to and who we are comes from its own variables
//! (MICROMEGAS_TELEMETRY_URL, MICROMEGAS_INGESTION_API_KEY or MICROMEGAS_OIDC_*), spans from MICROMEGAS_ENABLE_CPU_TRACING=true, whom
//! to trust from SSL_CERT_FILE. It ends when all is sent or given up.

use micromegas_telemetry_sink::TelemetryGuardBuilder;
use micromegas_tracing::prelude::*;

#[span_fn]
fn work(run: &str, round: u64) {
    info!("{run} round {round} grüß");
    imetric!("rounds", "count", round);
    fmetric!("share", "ratio", 0.25);
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
    drop(guard);
    println!("ended");
}
