//! Downloads against a scripted server on the loopback interface.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    thread::{self, JoinHandle},
    time::Duration,
};

use duress_datasets::{Error, Fetch, Manifest};
use sha2::{Digest, Sha256};

/// What the server does with one request, in the order they come.
#[derive(Clone)]
enum Answer {
    /// Status line, further headers, body; then the connection closes.
    Raw(&'static str, String, Vec<u8>),
}

fn answer(status: &'static str, headers: &str, body: &[u8]) -> Answer {
    Answer::Raw(status, headers.to_owned(), body.to_vec())
}

fn whole(body: &[u8]) -> Answer {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}

/// The first `sent` bytes of a body of which all are announced.
fn cut(body: &[u8], sent: usize) -> Answer {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), &body[..sent])
}

fn partial(body: &[u8], from: usize) -> Answer {
    let (last, size) = (body.len() - 1, body.len());
    let rest = &body[from..];
    let headers =
        format!("Content-Length: {}\r\nContent-Range: bytes {from}-{last}/{size}\r\n", rest.len());
    answer("206 Partial Content", &headers, rest)
}

struct Server {
    url: String,
    requests: JoinHandle<Vec<String>>,
}

impl Server {
    /// Serves just the given answers, then stops; a client that never comes ends it by time.
    fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let requests = thread::spawn(move || {
            let mut requests = Vec::new();
            'answers: for Answer::Raw(status, headers, body) in answers {
                let mut stream = 'accepted: {
                    for _ in 0..1000 {
                        match listener.accept() {
                            Ok((stream, _)) => break 'accepted stream,
                            Err(_) => thread::sleep(Duration::from_millis(5)),
                        }
                    }
                    break 'answers;
                };
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let (mut request, mut byte) = (Vec::new(), [0]);
                while !request.ends_with(b"\r\n\r\n") && request.len() < 8192 {
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                requests.push(String::from_utf8(request).unwrap().to_lowercase());
                let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n");
                // The client may have left already; that is its right.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
            requests
        });
        Self { url, requests }
    }

    fn requests(self) -> Vec<String> {
        self.requests.join().unwrap()
    }
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.concat()
}

struct Case {
    folder: tempfile::TempDir,
    manifest: Manifest,
    body: Vec<u8>,
}

impl Case {
    fn new() -> Self {
        let body: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let sum = hex(&Sha256::digest(&body));
        let text = format!(
            r#"
            name = "set"
            licence = "l"
            citation = "c"
            order = "o"
            [[file]]
            path = "data.bin"
            url = "http://192.0.2.1/data.bin"
            bytes = {}
            sha256 = "{sum}"
            "#,
            body.len()
        );
        let folder = tempfile::tempdir().unwrap();
        Self { folder, manifest: Manifest::parse(&text).unwrap(), body }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("set/data.bin")
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("set/data.bin.part")
    }

    /// Length of the partial file, `None` if there is none.
    fn part_len(&self) -> Option<u64> {
        fs::metadata(self.part()).ok().map(|meta| meta.len())
    }

    fn fetch(&self, server: &Server, retries: u32) -> Result<Vec<(u64, u64)>, Error> {
        let fetch = Fetch {
            base_url: Some(format!("{}/", server.url)),
            retries,
            backoff: Duration::from_millis(1),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            ..Fetch::default()
        };
        let mut heard = Vec::new();
        fetch.fetch(&self.manifest, self.folder.path(), &mut |done, total| {
            heard.push((done, total));
        })?;
        Ok(heard)
    }

    fn assert_complete(&self) {
        assert_eq!(fs::read(self.target()).unwrap(), self.body);
        assert_eq!(self.part_len(), None, "nothing is left beside the file");
    }
}

#[test]
fn a_good_download_lands_under_its_name_and_is_not_repeated() {
    let case = Case::new();
    let server = Server::start(vec![whole(&case.body)]);
    let heard = case.fetch(&server, 0).unwrap();
    assert!(heard.is_sorted());
    assert_eq!(heard.last(), Some(&(200_000, 200_000)));
    case.assert_complete();
    // No server answers any more.
    let gone = Server { url: "http://127.0.0.1:9".into(), requests: thread::spawn(Vec::new) };
    assert_eq!(case.fetch(&gone, 0).unwrap(), [(200_000, 200_000)]);
    let requests = server.requests();
    assert!(requests[0].starts_with("get /set/data.bin http/1.1"), "{requests:?}");
    assert!(!requests[0].contains("range:"));
}

#[test]
fn a_damaged_file_that_is_there_is_fetched_again() {
    let case = Case::new();
    fs::create_dir_all(case.target().parent().unwrap()).unwrap();
    let mut damaged = case.body.clone();
    damaged[1000] ^= 1;
    fs::write(case.target(), &damaged).unwrap();
    case.fetch(&Server::start(vec![whole(&case.body)]), 0).unwrap();
    case.assert_complete();
}

#[test]
fn a_wrong_checksum_deletes_the_download_and_names_both_sums() {
    let case = Case::new();
    let mut wrong = case.body.clone();
    wrong[77] ^= 1;
    let error = case.fetch(&Server::start(vec![whole(&wrong)]), 3).unwrap_err();
    let Error::Checksum { expected, got, .. } = &error else { panic!("{error}") };
    assert_eq!(*expected, case.manifest.files[0].sha256);
    assert!(got.len() == 64 && got != expected);
    assert_eq!((case.part_len(), case.target().exists()), (None, false));
}

#[test]
fn a_cut_download_is_kept_and_the_next_call_fetches_only_the_rest() {
    let case = Case::new();
    let error = case.fetch(&Server::start(vec![cut(&case.body, 70_000)]), 0).unwrap_err();
    assert!(matches!(error, Error::Interrupted { got: 70_000, expected: 200_000, .. }), "{error}");
    assert_eq!((case.part_len(), case.target().exists()), (Some(70_000), false));
    let server = Server::start(vec![partial(&case.body, 70_000)]);
    case.fetch(&server, 0).unwrap();
    case.assert_complete();
    assert!(server.requests()[0].contains("range: bytes=70000-\r\n"));
}

#[test]
fn a_cut_download_is_continued_within_one_call() {
    let case = Case::new();
    let server = Server::start(vec![
        cut(&case.body, 50_000),
        answer("503 Service Unavailable", "Content-Length: 0\r\n", b""),
        partial(&case.body, 50_000),
    ]);
    case.fetch(&server, 2).unwrap();
    case.assert_complete();
    let ranges: Vec<_> =
        server.requests().iter().map(|request| request.contains("range: bytes=50000-")).collect();
    assert_eq!(ranges, [false, true, true]);
}

#[test]
fn a_server_that_ignores_the_range_starts_over() {
    let case = Case::new();
    fs::create_dir_all(case.part().parent().unwrap()).unwrap();
    fs::write(case.part(), b"other bytes").unwrap();
    case.fetch(&Server::start(vec![whole(&case.body)]), 0).unwrap();
    case.assert_complete();
}

#[test]
fn a_server_that_continues_elsewhere_or_refuses_starts_over() {
    for odd in [
        |body: &[u8]| partial(body, 7),
        |_: &[u8]| answer("206 Partial Content", "Content-Length: 3\r\n", b"abc"),
        |_: &[u8]| answer("416 Range Not Satisfiable", "Content-Length: 0\r\n", b""),
    ] {
        let case = Case::new();
        fs::create_dir_all(case.part().parent().unwrap()).unwrap();
        fs::write(case.part(), &case.body[..5]).unwrap();
        let server = Server::start(vec![odd(&case.body), whole(&case.body)]);
        case.fetch(&server, 1).unwrap();
        case.assert_complete();
        assert!(!server.requests()[1].contains("range:"));
    }
}

#[test]
fn a_complete_partial_file_needs_no_request() {
    let case = Case::new();
    fs::create_dir_all(case.part().parent().unwrap()).unwrap();
    fs::write(case.part(), &case.body).unwrap();
    let gone = Server { url: "http://127.0.0.1:9".into(), requests: thread::spawn(Vec::new) };
    case.fetch(&gone, 0).unwrap();
    case.assert_complete();
}

#[test]
fn a_missing_file_is_an_error_at_once_and_a_busy_server_is_asked_again() {
    let case = Case::new();
    let missing = Server::start(vec![answer("404 Not Found", "Content-Length: 2\r\n", b"no")]);
    let error = case.fetch(&missing, 3).unwrap_err();
    assert!(matches!(error, Error::Status { status: 404, .. }), "{error}");
    assert_eq!(case.part_len(), None);
    let busy = answer("500 Internal Server Error", "Content-Length: 0\r\n", b"");
    case.fetch(&Server::start(vec![busy.clone(), whole(&case.body)]), 1).unwrap();
    case.assert_complete();
    let case = Case::new();
    let server = Server::start(vec![busy.clone(), busy]);
    let error = case.fetch(&server, 1).unwrap_err();
    assert!(matches!(error, Error::Status { status: 500, .. }), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn more_bytes_than_the_manifest_says_are_refused() {
    let case = Case::new();
    let longer = [&case.body[..], b"!"].concat();
    for server in [
        Server::start(vec![whole(&longer)]),
        // No length announced: the body ends with the connection.
        Server::start(vec![answer("200 OK", "", &longer)]),
        Server::start(vec![whole(&case.body[1..])]),
    ] {
        let error = case.fetch(&server, 3).unwrap_err();
        assert!(matches!(error, Error::Size { expected: 200_000, .. }), "{error}");
        assert_eq!((case.part_len(), case.target().exists()), (None, false));
    }
    case.fetch(&Server::start(vec![answer("200 OK", "", &case.body)]), 0).unwrap();
    case.assert_complete();
}

#[test]
fn a_server_that_is_not_there_is_an_interruption_at_byte_zero() {
    let case = Case::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let gone = Server { url, requests: thread::spawn(Vec::new) };
    let error = case.fetch(&gone, 1).unwrap_err();
    assert!(matches!(error, Error::Interrupted { got: 0, .. }), "{error}");
    assert_eq!(case.part_len(), None);
}
