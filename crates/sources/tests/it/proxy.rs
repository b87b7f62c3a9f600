//! A connection between a client and a server that breaks when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Listens on a free port and passes on to a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    /// Cuts the first `cuts` connections off after `bytes` bytes from the server, and lets the others be.
    pub(crate) fn new(server: u16, cuts: usize, bytes: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let most = if number < cuts { bytes } else { usize::MAX };
                pass(client.try_clone().unwrap(), upstream.try_clone().unwrap(), usize::MAX);
                pass(upstream, client, most);
            }
        });
        Proxy { port, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, most: usize) {
    std::thread::spawn(move || {
        let (mut left, mut buffer) = (most, vec![0; 1 << 14]);
        while let Ok(read) = from.read(&mut buffer) {
            let passed = read.min(left);
            if read == 0 || to.write_all(&buffer[..passed]).is_err() {
                break;
            }
            left -= passed;
            if left == 0 {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
