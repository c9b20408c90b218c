//! Models behind HTTP, on a server that misbehaves as told.
#![allow(clippy::unwrap_used)]
mod common;

use std::net::TcpListener;
use std::time::Duration;

use burn::prelude::*;
use common::{Reply, Request, Server, reply};
use duress_core::{Domain, LabelOracle, ScoreOracle, host};
use duress_remote::{
    HttpEndpoint, HttpSettings, OutputKind, Protocol, Remote, RemoteError, RemoteScores, Retry,
    Secret, Settings, Totals,
};

const MODEL: &str = "/v2/models/net";

fn settings() -> Settings {
    let retry = Retry { retries: 2, first_wait_seconds: 0.001, longest_wait_seconds: 2.0 };
    Settings { classes: Some(3), retry, ..Settings::default() }
}

fn domain() -> Domain {
    Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap()
}

fn named(server: &Server) -> HttpSettings {
    let input = Some("x".into());
    HttpSettings { input, timeout_seconds: 5.0, ..HttpSettings::new(server.url(MODEL)) }
}

fn remote(http: HttpSettings, settings: Settings) -> Remote {
    let endpoint = HttpEndpoint::new(http, None).unwrap();
    Remote::new(endpoint, domain(), &Device::flex(), settings).unwrap()
}

fn connect(http: HttpSettings) -> RemoteScores {
    remote(http, settings()).scores().unwrap()
}

fn rows() -> Tensor<2> {
    Tensor::from_floats([[0.5, 0.25], [0.125, 1.0]], &Device::flex())
}

const LOGITS: [f32; 6] = [0.5, 0.25, 0.25, 0.125, 1.0, -0.875];

/// `[x₀, x₁, x₀ − x₁]` in the inference protocol.
fn answer(request: &Request) -> Reply {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let values: Vec<f64> = body["inputs"][0]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_f64().unwrap())
        .collect();
    let scores: Vec<f64> =
        values.chunks(2).flat_map(|row| [row[0], row[1], row[0] - row[1]]).collect();
    outputs(&[values.len() / 2, 3], &serde_json::json!(scores).to_string())
}

fn outputs(shape: &[usize], data: &str) -> Reply {
    let body = format!(
        r#"{{"outputs":[{{"name":"y","shape":{shape:?},"datatype":"FP32","data":{data}}}]}}"#
    );
    reply(200, "Content-Type: application/json\r\n", body.as_bytes())
}

fn told(model: &RemoteScores) -> String {
    model.logits(rows()).unwrap_err().to_string()
}

#[test]
fn the_answers_are_those_of_the_model_and_metadata_names_the_tensors() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "GET" => reply(
            200,
            "",
            br#"{"name":"net","inputs":[{"name":"pixels"}],"outputs":[{"name":"y"}]}"#,
        ),
        _ => answer(request),
    });
    let http = HttpSettings::new(server.url(MODEL));
    let model = remote(http, Settings { classes: None, ..settings() }).scores().unwrap();
    assert_eq!(model.classes(), 3);
    assert_eq!(host::floats(model.logits(rows()).unwrap()).unwrap(), LOGITS);
    assert_eq!(host::labels(model.labels(rows()).unwrap()).unwrap(), [0, 1]);
    assert_eq!(model.totals(), Totals { queries: 5, requests: 4, retried: 0 });
    let seen = server.seen();
    let paths: Vec<String> =
        seen.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let infer = format!("POST {MODEL}/infer");
    assert_eq!(paths, [format!("GET {MODEL}"), infer.clone(), infer.clone(), infer]);
    let body: serde_json::Value = serde_json::from_slice(&seen[2].body).unwrap();
    let expected = serde_json::json!({ "inputs": [{
        "name": "pixels", "shape": [2, 2], "datatype": "FP32", "data": [0.5, 0.25, 0.125, 1.0],
    }] });
    assert_eq!(body, expected);
}

#[test]
fn without_metadata_the_input_has_the_usual_name_and_a_given_output_is_asked_for() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "GET" => reply(404, "", b"no such page"),
        _ => answer(request),
    });
    let output = Some("y".into());
    let model = connect(HttpSettings { output, ..HttpSettings::new(server.url(MODEL)) });
    assert_eq!(host::floats(model.logits(rows()).unwrap()).unwrap(), LOGITS);
    let body: serde_json::Value = serde_json::from_slice(&server.seen()[1].body).unwrap();
    assert_eq!(body["inputs"][0]["name"], "input-0");
    assert_eq!(body["outputs"], serde_json::json!([{ "name": "y" }]));
}

#[test]
fn failures_that_may_pass_are_repeated_and_each_row_counts_once() {
    let statuses = [500, 502, 503, 504];
    for status in statuses {
        let server = Server::start(move |place, request| match place {
            0 => reply(status, "", b"{\"error\":\"warming up\"}"),
            _ => answer(request),
        });
        let model = connect(named(&server));
        assert_eq!(host::floats(model.logits(rows()).unwrap()).unwrap(), LOGITS);
        assert_eq!(model.totals(), Totals { queries: 2, requests: 2, retried: 1 });
        assert_eq!(server.seen().len(), 2);
    }
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let server = Server::start(|place, request| match place {
        0 => reply(429, "Retry-After: 1\r\n", b""),
        _ => answer(request),
    });
    let model = connect(named(&server));
    let begin = std::time::Instant::now();
    model.logits(rows()).unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));

    let server = Server::start(|_, _| reply(429, "Retry-After: 3600\r\n", b"slow down"));
    let text = told(&connect(named(&server)));
    assert!(text.contains("429: slow down; it asks to wait 3600.0 s"), "{text}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_slow_answer_is_asked_for_again() {
    let server = Server::start(|place, request| match place {
        0 => Reply::Silence(Duration::from_secs(20)),
        _ => answer(request),
    });
    let model = connect(HttpSettings { timeout_seconds: 0.3, ..named(&server) });
    assert_eq!(host::floats(model.logits(rows()).unwrap()).unwrap(), LOGITS);
    assert_eq!(model.totals(), Totals { queries: 2, requests: 2, retried: 1 });

    let silent = Server::start(|_, _| Reply::Silence(Duration::from_secs(20)));
    let text = told(&connect(HttpSettings { timeout_seconds: 0.1, ..named(&silent) }));
    assert!(text.contains("gave up after 3 attempts"), "{text}");
    assert!(text.contains("no answer within 0.100 s"), "{text}");
}

#[test]
fn a_body_cut_in_the_middle_is_asked_for_again() {
    let server = Server::start(|place, request| {
        let Reply::Raw(mut bytes) = answer(request) else { unreachable!() };
        if place == 0 {
            bytes.truncate(bytes.len() - 10);
        }
        Reply::Raw(bytes)
    });
    let model = connect(named(&server));
    assert_eq!(host::floats(model.logits(rows()).unwrap()).unwrap(), LOGITS);
    assert_eq!(model.totals(), Totals { queries: 2, requests: 2, retried: 1 });

    let empty = Server::start(|_, _| Reply::Raw(Vec::new()));
    let text = told(&connect(named(&empty)));
    assert!(text.contains("gave up after 3 attempts"), "{text}");
}

#[test]
fn wrong_answers_are_errors_and_never_asked_for_again() {
    let wrong = |shape: &'static [usize], data: &'static str, expected: &str| {
        let server = Server::start(move |_, _| outputs(shape, data));
        let text = told(&connect(named(&server)));
        assert!(text.contains(expected), "{text}");
        assert_eq!(server.seen().len(), 1);
    };
    wrong(&[1, 3], "[1,2,3]", "expected an answer of shape [2, 3], got [1, 3]");
    wrong(&[2, 2], "[1,2,3,4]", "expected an answer of shape [2, 3], got [2, 2]");
    wrong(&[6], "[1,2,3,4,5,6]", "expected an answer of shape [2, 3], got [6]");
    wrong(&[2, 3], "[1,2,3,4,5]", "expected the values of shape [2, 3], got 5 values");
    wrong(&[2, 3], "[1,2,3,4,5,1e300]", "the score of row 1, class 2 is");
    wrong(&[2, 3], "[1,2,3,4,5,null]", "expected numbers, got null");
    wrong(&[2, 3], "[1,2,3,4,5,NaN]", "NaN");
}

#[test]
fn a_refusal_is_final_and_says_what_the_server_said() {
    for status in [400, 401, 403, 404, 408, 413, 501] {
        let server = Server::start(move |_, _| reply(status, "", b"{\"error\":\"no 'x'\"}"));
        let text = told(&connect(named(&server)));
        let expected = format!("infer: HTTP status {status}: {{\"error\":\"no 'x'\"}}");
        assert!(text.ends_with(&expected), "{text}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn an_answer_longer_than_allowed_is_refused_before_it_is_read() {
    let server = Server::start(|_, _| {
        Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n{".to_vec())
    });
    let text = told(&connect(named(&server)));
    assert!(text.contains("longer than `answer_bytes`, 67108864 bytes"), "{text}");

    // Without an announced length too.
    let server = Server::start(|_, _| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        bytes.extend(vec![b' '; 3000]);
        Reply::Raw(bytes)
    });
    let text = told(&connect(HttpSettings { answer_bytes: 2000, ..named(&server) }));
    assert!(text.contains("longer than `answer_bytes`, 2000 bytes"), "{text}");
}

#[test]
fn a_redirect_is_an_error_that_names_the_other_address() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(move |_, _| reply(status, "Location: http://b/c\r\n", b""));
        let text = told(&connect(named(&server)));
        assert!(text.contains(&format!("HTTP status {status} to `http://b/c`")), "{text}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn a_refused_connection_is_tried_again_and_then_given_up() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = HttpSettings::new(format!("http://{address}{MODEL}"));
    let model = connect(HttpSettings { input: Some("x".into()), ..http });
    let text = told(&model);
    assert!(text.contains("gave up after 3 attempts") && text.contains("refused"), "{text}");
    assert_eq!(model.totals(), Totals { queries: 0, requests: 3, retried: 2 });
}

#[test]
fn a_token_is_sent_and_never_shown() {
    let server = Server::start(|_, request| {
        let sent = request.header("authorization").unwrap_or("none").to_owned();
        reply(403, "", format!("not allowed: {sent}").as_bytes())
    });
    let token = Secret::new("s3cr3t-t0ken\n").unwrap();
    let endpoint = HttpEndpoint::new(named(&server), Some(token)).unwrap();
    let shown = format!("{endpoint:?}");
    let model =
        Remote::new(endpoint, domain(), &Device::flex(), settings()).unwrap().scores().unwrap();
    let text = told(&model);
    assert!(text.contains("not allowed: Bearer [token]"), "{text}");
    for text in [text, shown, format!("{model:?}")] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer s3cr3t-t0ken"));
}

#[test]
fn arrays_go_and_come_as_npy_and_labels_are_enough_for_label_attacks() {
    let server = Server::start(|place, request| {
        let sent = npyz::NpyFile::new(&request.body[..]).unwrap();
        assert_eq!(sent.shape(), [2, 2]);
        let values = sent.into_vec::<f32>().unwrap();
        let labels: Vec<i64> = values.chunks(2).map(|row| i64::from(row[1] > row[0])).collect();
        let mut body = Vec::new();
        {
            use npyz::WriterBuilder;
            let options = npyz::WriteOptions::new().default_dtype().shape(&[2]);
            let mut writer = options.writer(&mut body).begin_nd().unwrap();
            writer.extend(labels).unwrap();
            writer.finish().unwrap();
        }
        match place {
            0 => reply(200, "", &body),
            1 => reply(200, "", &body[..body.len() - 3]),
            2 => reply(200, "", &[&body[..], b"\n"].concat()),
            _ => reply(200, "", b"<html>welcome</html>"),
        }
    });
    let protocol = Protocol::Npy;
    let http = HttpSettings { protocol, ..HttpSettings::new(server.url("/predict?key=s3cret")) };
    let settings = Settings { output: OutputKind::Labels, ..settings() };
    let model = remote(http, settings).labels().unwrap();
    assert_eq!(host::labels(model.labels(rows()).unwrap()).unwrap(), [0, 1]);
    let told = || model.labels(rows()).unwrap_err().to_string();
    for expected in ["ended after 13 of 16 bytes", "got 1 more bytes", "got `<html>we`"] {
        let text = told();
        assert!(text.contains(expected) && !text.contains("s3cret"), "{text}");
    }
    assert_eq!(server.seen()[0].path, "/predict?key=s3cret");
    assert_eq!(model.totals(), Totals { queries: 2, requests: 4, retried: 0 });
}

#[test]
fn settings_out_of_range_are_refused_before_anything_is_sent() {
    let url = "http://127.0.0.1:1/v2/models/net";
    let zero = HttpSettings { timeout_seconds: 0.0, ..HttpSettings::new(url) };
    assert!(matches!(HttpEndpoint::new(zero, None), Err(RemoteError::Setting { .. })));
    let proxy = HttpSettings { proxy: Some("not a proxy".into()), ..HttpSettings::new(url) };
    assert!(matches!(HttpEndpoint::new(proxy, None), Err(RemoteError::Setting { .. })));
}
