//! A score attack on a server that fails now and then: nothing is lost or counted twice.
#![allow(clippy::unwrap_used)]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::prelude::*;
use common::{Server, reply};
use duress_attacks::Square;
use duress_core::{Attack, Domain, Goal, Norm, Oracle, Problem, Seed, Threat, run};
use duress_remote::{HttpEndpoint, HttpSettings, Remote, Retry, Settings};

#[test]
fn a_budget_holds_under_faults_and_every_answered_row_is_counted() {
    let answered = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&answered);
    let server = Server::start(move |place, request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let data = body["inputs"][0]["data"].as_array().unwrap();
        let values: Vec<f64> = data.iter().map(|it| it.as_f64().unwrap()).collect();
        match place % 5 {
            1 => return reply(503, "", b""),
            3 => {
                return common::Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into());
            }
            _ => {}
        }
        // The sum of the pixels decides; the attack's ball is too small to change it.
        let scores: Vec<f64> =
            values.chunks(16).flat_map(|row| [row.iter().sum::<f64>(), -50.0]).collect();
        counter.fetch_add(values.len() as u64 / 16, Ordering::Relaxed);
        let output = serde_json::json!({
            "outputs": [{
                "name": "y", "datatype": "FP32", "shape": [values.len() / 16, 2], "data": scores,
            }]
        });
        reply(200, "", output.to_string().as_bytes())
    });
    let http =
        HttpSettings { input: Some("x".into()), ..HttpSettings::new(server.url("/v2/models/m")) };
    let retry = Retry { retries: 3, first_wait_seconds: 0.001, longest_wait_seconds: 1.0 };
    let settings = Settings { retry, rows_per_request: 3, ..Settings::default() };
    let domain = Domain::image(1, 4, 4).unwrap();
    let endpoint = HttpEndpoint::new(http, None).unwrap();
    let device = Device::flex();
    let model = Remote::new(endpoint, domain, &device, settings).unwrap().scores().unwrap();
    assert_eq!(model.totals().queries, 1);

    let (samples, budget) = (4_u64, 17);
    let rows = Tensor::<2>::full([samples as usize, 16], 0.5, &device);
    let threat = Threat::new(Norm::Linf, 0.1).unwrap();
    let goal = Goal::Untargeted(vec![0; samples as usize]);
    let problem = Problem::new(Oracle::Scores(&model), rows, goal, threat)
        .with_budget(Some(budget))
        .with_seed(Seed(3));
    let outcome = run(&Attack::Score(Box::new(Square::default())), &problem).unwrap();

    let spent: u64 = outcome.samples.iter().map(|sample| sample.forwards).sum();
    assert!(outcome.samples.iter().all(|sample| sample.forwards <= budget));
    assert!(spent > samples, "the attack asked");
    let totals = model.totals();
    assert_eq!(totals.queries, answered.load(Ordering::Relaxed));
    assert_eq!(totals.requests, server.seen().len() as u64);
    assert!(totals.retried > 0);
    // The driver looks at each row before and after; one query found the number of classes.
    assert_eq!(totals.queries, 1 + spent + 2 * samples);
}
