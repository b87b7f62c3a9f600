//! A server that speaks as Azure's storage of blobs does, of a test's own: Azurite, Microsoft's, on a free port, ended
//! after.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dialogue::Dialogue;
use crate::{environments, python, skip};

/// Serves until its input ends, which it does with the process that started it; makes containers, and tells what is in
/// them, by requests of its own, signed as Azure documents it.
const SERVER: &str = r#"
import base64, hashlib, hmac, http.client, json, re, subprocess, sys, threading
from datetime import datetime, timezone
from xml.etree import ElementTree

# The account that every Azurite knows.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

def ask(method, path, **query):
    date = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    named = [f"{name}:{value}" for name, value in sorted(headers.items())]
    asked = [f"{name}:{value}" for name, value in sorted(query.items())]
    text = "\n".join([method, *[""] * 11, *named, f"/{ACCOUNT}/{ACCOUNT}{path}", *asked])
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    connection = http.client.HTTPConnection("127.0.0.1", port)
    words = "&".join(f"{name}={value}" for name, value in query.items())
    connection.request(method, f"/{ACCOUNT}{path}?{words}", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status < 300, (answer.status, body)
    return body

server = subprocess.Popen([sys.argv[1], "--inMemoryPersistence", "--silent", "--blobHost", "127.0.0.1", "--blobPort",
                           "0", "--skipApiVersionCheck"], stdout=subprocess.PIPE, text=True)
port = next(int(found[1]) for line in server.stdout if (found := re.search(r"listens on http://[^:]+:(\d+)", line)))
threading.Thread(target=server.stdout.read, daemon=True).start()
print(json.dumps(port), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    container = "/" + asked["container"]
    if asked["make"]:
        ask("PUT", container, restype="container")
        answer = None
    else:
        listed = ElementTree.fromstring(ask("GET", container, comp="list", restype="container"))
        names = [name.text for name in listed.iter("Name")]
        answer = {name: hashlib.md5(ask("GET", f"{container}/{name}")).hexdigest() for name in names}
    print(json.dumps(answer), flush=True)
# Asked to end, it waits for connections that nobody closes.
server.kill()
server.wait()
"#;

/// A running server with one account.
#[derive(Debug)]
pub struct Azure {
    port: u64,
    server: Dialogue,
}

/// Starts a server; prints why a test is skipped where Azurite or the Python environment is absent: Azurite is a
/// program of Node's, which no test may ask of a machine.
///
/// # Panics
/// Panics when the server does not start.
pub fn azure() -> Option<Azure> {
    let program = environments().join("azurite/node_modules/.bin/azurite-blob");
    if !program.exists() {
        skip("Azurite is absent; `cargo xtask judges` brings it where there is npm");
        return None;
    }
    let judge = python("objects")?;
    let mut server = Dialogue::start(&judge, SERVER, &[&program.display().to_string()]);
    let port = server.answer().as_u64().expect("the server says where it listens");
    Some(Azure { port, server })
}

impl Azure {
    fn ask(&mut self, container: &str, make: bool) -> Value {
        self.server.ask(&json!({ "container": container, "make": make }))
    }

    /// Gives the variables by which a program finds it.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let url = format!("http://127.0.0.1:{}", self.port);
        [("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()), ("AZURITE_BLOB_STORAGE_URL", url)]
    }

    /// Makes a container.
    ///
    /// # Panics
    /// Panics when the server does not.
    pub fn container(&mut self, name: &str) {
        self.ask(name, true);
    }

    /// Gives the names of a container's blobs, at most 5,000, with the md5 of their bytes.
    ///
    /// # Panics
    /// Panics when the server does not.
    pub fn list(&mut self, container: &str) -> BTreeMap<String, String> {
        let found = self.ask(container, false);
        serde_json::from_value(found).expect("they are names and digests")
    }
}
