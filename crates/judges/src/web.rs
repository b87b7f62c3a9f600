//! A web server of a test's own, which breaks off, changes its mind and refuses when it is told to.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A request that a server heard.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `HEAD`, `PUT`.
    pub method: String,
    /// The path with the query.
    pub path: String,
    /// The headers, their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// What came with it.
    pub body: Vec<u8>,
    /// How many of this method were heard before.
    pub before: usize,
}

/// What a server says.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    most: usize,
}

impl Reply {
    /// Says a status, and nothing more.
    pub fn status(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new(), most: usize::MAX }
    }

    /// Gives a file, or the part of it that is asked for, unless another ETag is.
    pub fn file(asked: &Asked, bytes: &[u8], e_tag: Option<&str>) -> Reply {
        let wanted = asked.headers.get("if-match");
        if wanted.is_some_and(|wanted| Some(wanted.as_str()) != e_tag) {
            return Reply::status(412);
        }
        let range = asked.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split('-').next());
        let from: Option<usize> = range.and_then(|from| from.parse().ok());
        let mut reply = Reply::status(if from.is_some() { 206 } else { 200 });
        reply.body = bytes[from.unwrap_or(0)..].to_vec();
        if let Some(from) = from {
            let all = bytes.len();
            reply = reply.with("content-range", format!("bytes {from}-{}/{all}", all - 1));
        }
        match e_tag {
            Some(e_tag) => reply.with("etag", e_tag.to_owned()),
            None => reply,
        }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets what is said after the headers.
    pub fn body(mut self, body: &[u8]) -> Reply {
        self.body = body.to_vec();
        self
    }

    /// Breaks the connection off after so many bytes of the body.
    pub fn cut(mut self, most: usize) -> Reply {
        self.most = most;
        self
    }
}

/// A running server. It ends with the process.
pub struct Web {
    port: u16,
    heard: Arc<Mutex<Vec<Asked>>>,
}

impl fmt::Debug for Web {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Web({})", self.port)
    }
}

impl Web {
    /// Listens on a free port of this machine; each connection is for one request.
    ///
    /// # Panics
    /// Panics where no port is free.
    pub fn new(say: impl Fn(&Asked) -> Reply + Send + 'static) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let heard: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let Some(mut asked) = hear(&connection) else { continue };
                let mut heard = kept.lock().unwrap_or_else(PoisonError::into_inner);
                asked.before = heard.iter().filter(|before| before.method == asked.method).count();
                heard.push(asked.clone());
                drop(heard);
                let _ = answer(&mut connection, &asked, &say(&asked));
                let _ = connection.shutdown(Shutdown::Both);
            }
        });
        Web { port, heard }
    }

    /// Gives where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Gives all that was asked so far.
    pub fn heard(&self) -> Vec<Asked> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the requests of a method.
    pub fn count(&self, method: &str) -> usize {
        self.heard().iter().filter(|asked| asked.method == method).count()
    }
}

pub(crate) fn hear(connection: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(connection);
    let mut lines = (&mut reader).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length: &String| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body, before: 0 })
}

fn answer(connection: &mut TcpStream, asked: &Asked, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} said\r\nconnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| *name == "content-length" || *name == "transfer-encoding") {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write_all(head.as_bytes())?;
    connection.write_all(b"\r\n")?;
    if asked.method != "HEAD" {
        connection.write_all(&reply.body[..reply.body.len().min(reply.most)])?;
    }
    connection.flush()
}
