//! Questions to a server, one at a time, and what its answers mean.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use trainyard_stores::Runtime;

use super::address::{Address, Who, innermost};
use super::artifacts::Content;
use super::error::ServerError;

/// The most letters of what a server says that a message repeats.
const LONGEST: usize = 300;
/// What is waited before each further try of a question that somebody waits for.
const WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1500),
    Duration::from_millis(3000),
];

/// So, where somebody else tries again later.
const MOMENTS: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(400)];
/// How long an upload may take, and how many bytes of it more in a millisecond: a slow line, not a dead one.
const UPLOAD: Duration = Duration::from_secs(120);
const SLOWEST: u64 = 100;
/// How long it is remembered that a server was waited for in vain.
const LATELY: Duration = Duration::from_secs(15);
/// The longest that a server may ask to be left alone.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// Says why a question has no answer.
#[derive(Clone, Debug)]
pub(crate) enum Unanswered {
    /// Another try may go well.
    Passing {
        cause: String,
        /// How long the server asks to be left alone.
        after: Option<Duration>,
    },
    /// One side does not trust the other's certificate.
    Untrusted { cause: String },
    /// The server says no.
    No { status: u16, code: String, message: String },
}

impl Unanswered {
    /// Says whether what was asked for is not there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::No { status: 404, code, .. } if code == "RESOURCE_DOES_NOT_EXIST")
    }

    /// Says whether what was to be made is there already.
    pub(crate) fn exists(&self) -> bool {
        matches!(self, Self::No { code, .. } if code == "RESOURCE_ALREADY_EXISTS")
    }

    /// Says what it is to a user; `deed` tells what was asked.
    pub(crate) fn told(self, server: &str, deed: &str) -> ServerError {
        let server = server.to_owned();
        match self {
            Self::Passing { cause, .. } => ServerError::Unreachable { server, cause },
            Self::Untrusted { cause } => ServerError::Untrusted { server, cause },
            Self::No { status: status @ 413, message, .. } => {
                ServerError::Refused { server, deed: deed.to_owned(), code: status.to_string(), message }
            }
            Self::No { status: status @ (401 | 403), message, .. } => {
                ServerError::Denied { server, cause: format!("{status}: {message}") }
            }
            Self::No { status, code, message } if code.is_empty() => {
                ServerError::NotMlflow { server, cause: format!("{status}: {message}") }
            }
            Self::No { code, message, .. } => ServerError::Refused { server, deed: deed.to_owned(), code, message },
        }
    }
}

/// Is what a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// How long it took.
    pub after: Duration,
    /// Its version, where it tells it.
    pub version: Option<String>,
}

/// Is a question: a route of MLflow's, and what goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) method: Method,
    /// The route below `/api/2.0`, part by part.
    pub(crate) route: Vec<&'a str>,
    pub(crate) query: Vec<(&'a str, &'a str)>,
    pub(crate) body: Option<Body>,
}

/// Is what goes with a question.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Json(Value),
    Content(Content),
}

/// Asks for something of `mlflow/…`.
pub(crate) fn get<'a>(route: &'a str, query: &[(&'a str, &'a str)]) -> Question<'a> {
    Question { method: Method::GET, route: tracking(route), query: query.to_vec(), body: None }
}

/// Asks to do something of `mlflow/…`.
pub(crate) fn post(route: &str, body: Value) -> Question<'_> {
    with(Method::POST, route, body)
}

pub(crate) fn with(method: Method, route: &str, body: Value) -> Question<'_> {
    Question { method, route: tracking(route), query: Vec::new(), body: Some(Body::Json(body)) }
}

fn tracking(route: &str) -> Vec<&str> {
    let mut parts = vec!["mlflow"];
    parts.extend(route.split('/'));
    parts
}

/// Asks one server.
#[derive(Debug)]
pub(crate) struct Client {
    address: Address,
    http: reqwest::Client,
    /// For what is long: it waits for an answer by its length.
    uploads: reqwest::Client,
    /// Counts answers, so that who waits knows that the server works.
    answers: AtomicU64,
    /// When somebody waited for the server in vain, and nothing has answered since.
    given_up: Mutex<Option<Instant>>,
    who: Who,
    runtime: Arc<Runtime>,
}

impl Client {
    pub(crate) fn new(
        address: &Address,
        variable: &dyn Fn(&str) -> Option<String>,
        runtime: &Arc<Runtime>,
    ) -> Result<Self, ServerError> {
        let (http, uploads) = (address.client(variable, true)?, address.client(variable, false)?);
        let who = address.who(variable);
        Ok(Self {
            address: address.clone(),
            http,
            uploads,
            answers: AtomicU64::new(0),
            given_up: Mutex::default(),
            who,
            runtime: Arc::clone(runtime),
        })
    }

    pub(crate) fn server(&self) -> &str {
        &self.address.shown
    }

    /// Says whether the server is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.address.is_here()
    }

    /// Gives how many answers came so far.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Says whether somebody has waited for the server in vain a moment ago, and nobody has heard of it since.
    pub(crate) fn gave_up_lately(&self) -> bool {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < LATELY)
    }

    fn give_up(&self, at: Option<Instant>) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Asks once for the server's version, and, as who asks, for an experiment.
    pub(crate) fn call(&self, experiment: &str, limit: Duration) -> Result<Answered, ServerError> {
        let begun = Instant::now();
        self.wait(async {
            let known = get("experiments/get-by-name", &[("experiment_name", experiment)]);
            let version = async {
                let url = self.address.route(&["version"], &[]);
                let answer = self.who.sign(self.http.get(url)).send().await.ok()?;
                let version = if answer.status().is_success() { answer.text().await.ok()? } else { String::new() };
                // A page in its place is no version.
                version.starts_with(|letter: char| letter.is_ascii_digit()).then(|| shortened(&version))
            };
            let asked = tokio::time::timeout(limit, join(self.ask(&known), version)).await;
            let (known, version) = asked.map_err(|_| ServerError::Unreachable {
                server: self.server().to_owned(),
                cause: format!("it did not answer within {} s", limit.as_secs_f64()),
            })?;
            match known {
                Err(error) if !error.is_absent() => Err(error.told(self.server(), "find the experiment")),
                Ok(found) if found["experiment"]["lifecycle_stage"] == "deleted" => {
                    let (server, experiment) = (self.server().to_owned(), experiment.to_owned());
                    Err(ServerError::ExperimentDeleted { server, experiment })
                }
                _ => Ok(Answered { after: begun.elapsed(), version }),
            }
        })
    }

    /// Waits for what asks, on the thread that calls.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = Result<T, ServerError>>) -> Result<T, ServerError> {
        self.runtime
            .block_on(work)
            .unwrap_or_else(|none| Err(ServerError::Settings { server: self.server().to_owned(), cause: none.cause }))
    }

    /// Asks once, and reads an answer of JSON.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Value, Unanswered> {
        read(&self.fetch(question).await?)
    }

    /// Asks until there is an answer, a few times in a moment; only for what may be asked twice.
    pub(crate) async fn ask_again(&self, question: &Question<'_>) -> Result<Value, Unanswered> {
        read(&self.fetch_again(question).await?)
    }

    /// Asks until there is an answer, as often as one who waits for it has patience; only for what may be asked twice.
    pub(crate) async fn ask_patiently(&self, question: &Question<'_>) -> Result<Value, Unanswered> {
        // Who has just waited in vain waits no second time as long: a server that is down is asked, and not waited for.
        let waits: &[Duration] = if self.gave_up_lately() { &MOMENTS } else { &WAITS };
        let answer = self.fetch_with(question, waits).await;
        if let Err(Unanswered::Passing { .. }) = &answer {
            self.give_up(Some(Instant::now()));
        }
        read(&answer?)
    }

    /// Has something made, once, however many answers are lost: before it is asked for again, it is looked for. `made` and
    /// `listed` are where the answers have it. Says whether it was made now; with `looks_first` an earlier try is thought
    /// of, too.
    pub(crate) async fn make(
        &self,
        (create, made): (&Question<'_>, &str),
        (find, listed): (&Question<'_>, &str),
        looks_first: bool,
    ) -> Result<(Value, bool), Unanswered> {
        let (mut waits, mut looks) = (MOMENTS.iter(), looks_first);
        loop {
            if looks && let Some(found) = self.ask_again(find).await?[listed].as_array_mut().and_then(|all| all.pop()) {
                return Ok((found, false));
            }
            match (self.ask(create).await, waits.next()) {
                (Ok(mut answer), _) => return Ok((answer[made].take(), true)),
                (Err(Unanswered::Passing { after, .. }), Some(wait)) => {
                    tokio::time::sleep(after.unwrap_or(*wait).max(*wait)).await;
                    looks = true;
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Asks as [`ask_again`](Self::ask_again) does, and gives the answer as it came.
    pub(crate) async fn fetch_again(&self, question: &Question<'_>) -> Result<Vec<u8>, Unanswered> {
        self.fetch_with(question, &MOMENTS).await
    }

    async fn fetch_with(&self, question: &Question<'_>, waits: &[Duration]) -> Result<Vec<u8>, Unanswered> {
        let mut waits = waits.iter();
        loop {
            match (self.fetch(question).await, waits.next()) {
                (Err(Unanswered::Passing { after, .. }), Some(wait)) => {
                    tokio::time::sleep(after.unwrap_or(*wait).max(*wait)).await;
                }
                (answer, _) => return answer,
            }
        }
    }

    /// Asks once, and gives the answer as it came.
    pub(crate) async fn fetch(&self, question: &Question<'_>) -> Result<Vec<u8>, Unanswered> {
        let mut parts = vec!["api", "2.0"];
        parts.extend(&question.route);
        let url = self.address.route(&parts, &question.query);
        let http = if matches!(question.body, Some(Body::Content(_))) { &self.uploads } else { &self.http };
        let request = self.who.sign(http.request(question.method.clone(), url));
        let request: RequestBuilder = match &question.body {
            None => request,
            Some(Body::Json(value)) => request.header(CONTENT_TYPE, "application/json").body(value.to_string()),
            Some(Body::Content(content)) => {
                let length = match content {
                    Content::Bytes(bytes) => bytes.len() as u64,
                    Content::Stored(stored) => stored.length,
                };
                let patience = UPLOAD + Duration::from_millis(length / SLOWEST);
                let request = request.header(CONTENT_TYPE, "application/octet-stream").timeout(patience);
                match content {
                    Content::Bytes(bytes) => request.body(bytes.clone()),
                    Content::Stored(stored) => {
                        let unread = |error: trainyard_files::Error| Unanswered::Passing {
                            cause: error.to_string(),
                            after: None,
                        };
                        let pieces = reqwest::Body::wrap_stream(stored.pieces().map_err(unread)?);
                        request.header(CONTENT_LENGTH, length).body(pieces)
                    }
                }
            }
        };
        // No waiting mends a certificate.
        let lost = |error: reqwest::Error| match innermost(&error) {
            cause if ["certificate", "Certificate", "UnknownCA"].iter().any(|word| cause.contains(word)) => {
                Unanswered::Untrusted { cause }
            }
            cause => Unanswered::Passing { cause, after: None },
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let location = answer.headers().get(LOCATION).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let bytes = answer.bytes().await.map_err(lost)?;
        if status.is_success() {
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.give_up(None);
            return Ok(bytes.to_vec());
        }
        if status.is_redirection() {
            let message = format!("it points to {}", location.unwrap_or_default());
            return Err(Unanswered::No { status: status.as_u16(), code: String::new(), message });
        }
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let message = said["message"].as_str().map_or_else(|| plain(&text), str::to_owned);
        let message = if message.is_empty() {
            status.canonical_reason().unwrap_or("no reason").to_owned()
        } else {
            shortened(&message)
        };
        let code = said["error_code"].as_str().unwrap_or_default().to_owned();
        match status.as_u16() {
            408 | 425 | 429 | 500.. => Err(Unanswered::Passing {
                cause: format!("{}: {message}", status.as_u16()),
                after: after.map(|seconds| Duration::from_secs(seconds).min(LEFT_ALONE)),
            }),
            status => Err(Unanswered::No { status, code, message }),
        }
    }
}

fn read(bytes: &[u8]) -> Result<Value, Unanswered> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|_| Unanswered::No {
        status: 200,
        code: String::new(),
        message: shortened(&plain(&String::from_utf8_lossy(bytes))),
    })
}

/// Takes the words out of a page.
fn plain(text: &str) -> String {
    let mut words = String::new();
    let mut is_tag = false;
    for letter in text.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                words.push(' ');
            }
            letter if !is_tag => words.push(letter),
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
