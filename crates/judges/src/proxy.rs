//! A proxy of a test's own before a web server: it delays, cuts, and answers in the server's place when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::web::{Asked, hear};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It goes to the server, and the answer back.
    Through,
    /// So, too, after a while.
    Late(Duration),
    /// Nobody hears of it.
    Lost,
    /// The server does it, and nobody hears of the answer.
    Unheard,
    /// It is answered with a status, and the server hears nothing.
    Status(u16),
}

/// A request that was heard.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its method and path.
    pub asked: String,
    /// What became of it.
    pub way: Way,
    /// When it was heard.
    pub begun: Instant,
    /// When its answer was given; none while it is not.
    pub ended: Option<Instant>,
}

/// A running proxy. It ends with the process.
pub struct Proxy {
    port: u16,
    heard: Arc<Mutex<Vec<Exchange>>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({})", self.port)
    }
}

impl Proxy {
    /// Listens on a free port before the server of another; each connection is for one request. `choose` is asked for each,
    /// with how many were heard before.
    ///
    /// # Panics
    /// Panics where no port is free.
    pub fn new(server: u16, choose: impl FnMut(&Asked, usize) -> Way + Send + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let heard: Arc<Mutex<Vec<Exchange>>> = Arc::default();
        let kept = Arc::clone(&heard);
        let choose = Arc::new(Mutex::new(choose));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (kept, choose) = (Arc::clone(&kept), Arc::clone(&choose));
                thread::spawn(move || {
                    let Some(asked) = hear(&connection) else { return };
                    let mut heard = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    let way = choose.lock().unwrap_or_else(PoisonError::into_inner)(&asked, heard.len());
                    let (place, asked_for) = (heard.len(), format!("{} {}", asked.method, asked.path));
                    heard.push(Exchange { asked: asked_for, way, begun: Instant::now(), ended: None });
                    drop(heard);
                    let _ = pass(&connection, &asked, server, way);
                    kept.lock().unwrap_or_else(PoisonError::into_inner)[place].ended = Some(Instant::now());
                    let _ = connection.shutdown(Shutdown::Both);
                });
            }
        });
        Proxy { port, heard }
    }

    /// Gives where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Gives what was asked so far, method and path, and what became of it.
    pub fn heard(&self) -> Vec<(String, Way)> {
        self.exchanges().into_iter().map(|exchange| (exchange.asked, exchange.way)).collect()
    }

    /// Gives what was asked so far, in the order in which it was heard.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the round trips of one who asks over a long line: the most requests of which each was heard after the one
    /// before had its answer. What is asked at the same time is one.
    pub fn trips(&self) -> usize {
        let mut exchanges = self.exchanges();
        exchanges.sort_by_key(|exchange| exchange.ended);
        let (mut trips, mut answered) = (0, None);
        for exchange in exchanges.iter().filter(|exchange| exchange.ended.is_some()) {
            if answered.is_none_or(|answered| exchange.begun >= answered) {
                (trips, answered) = (trips + 1, exchange.ended);
            }
        }
        trips
    }
}

fn pass(mut connection: &TcpStream, asked: &Asked, server: u16, way: Way) -> std::io::Result<()> {
    match way {
        Way::Lost => return Ok(()),
        Way::Status(status) => {
            let head = format!("HTTP/1.1 {status} said\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            return connection.write_all(head.as_bytes());
        }
        Way::Late(wait) => thread::sleep(wait),
        Way::Through | Way::Unheard => {}
    }
    let mut upstream = TcpStream::connect(("127.0.0.1", server))?;
    // Who takes this for the way to everywhere names the server, too.
    let path = asked.path.strip_prefix("http://").and_then(|rest| rest.find('/').map(|from| &rest[from..]));
    let mut head = format!("{} {} HTTP/1.1\r\n", asked.method, path.unwrap_or(&asked.path));
    for (name, value) in asked.headers.iter().filter(|(name, _)| *name != "connection") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    upstream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    upstream.write_all(&asked.body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if way == Way::Unheard {
        return Ok(());
    }
    connection.write_all(&answer)
}
