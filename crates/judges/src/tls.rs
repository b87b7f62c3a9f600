//! TLS before a web server of this machine, with a certificate whose authority nobody else knows.

use std::path::PathBuf;

use crate::dialogue::Dialogue;
use crate::python;

/// Makes an authority and a certificate of its, and passes on what comes over TLS; serves until its input ends.
const TERMINAL: &str = r#"
import datetime, ipaddress, json, socket, ssl, sys, tempfile, threading
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

folder = tempfile.TemporaryDirectory(prefix="trainyard-tls-")
begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)

def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

def certificate(subject, key, issuer, signer, extensions):
    built = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(begin)
    built = built.not_valid_after(begin + datetime.timedelta(days=30))
    for extension, critical in extensions:
        built = built.add_extension(extension, critical)
    return built.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

def write(file, *parts):
    with open(f"{folder.name}/{file}", "wb") as out:
        out.write(b"".join(parts))
    return f"{folder.name}/{file}"

authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
known = certificate("an authority of a test", authority, "an authority of a test", authority,
                    [(x509.BasicConstraints(ca=True, path_length=0), True)])
names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
own = certificate("127.0.0.1", key, "an authority of a test", authority,
                  [(x509.SubjectAlternativeName(names), False), (x509.BasicConstraints(ca=False, path_length=None), True)])
secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(write("own.pem", own, secret))
if sys.argv[2] == "asks":
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(write("known.pem", known))

def pump(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass

def serve(connection):
    try:
        with context.wrap_socket(connection, server_side=True) as inside:
            with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as server:
                threading.Thread(target=pump, args=(inside, server), daemon=True).start()
                pump(server, inside)
    except OSError:
        pass

listener = socket.create_server(("127.0.0.1", 0))

def listen():
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()

threading.Thread(target=listen, daemon=True).start()
told = {"port": listener.getsockname()[1], "authority": write("authority.pem", known), "own": f"{folder.name}/own.pem"}
print(json.dumps(told), flush=True)
sys.stdin.read()
"#;

/// A running end of TLS.
#[derive(Debug)]
pub struct Tls {
    port: u64,
    authority: PathBuf,
    own: PathBuf,
    _terminal: Dialogue,
}

/// Takes TLS for the server at `port`; with `asks` who comes has to show a certificate. Prints why a test is skipped where
/// the Python environment is absent.
///
/// # Panics
/// Panics when it is absent although `TRAINYARD_REQUIRE_JUDGES` is set.
pub fn tls(port: u16, asks: bool) -> Option<Tls> {
    let judge = python("tracking")?;
    let asks = if asks { "asks" } else { "lets" };
    let mut terminal = Dialogue::start(&judge, TERMINAL, &[&port.to_string(), asks]);
    let told = terminal.answer();
    let path = |name: &str| PathBuf::from(told[name].as_str().expect("it names its files"));
    let port = told["port"].as_u64().expect("it says where it listens");
    let (authority, own) = (path("authority"), path("own"));
    Some(Tls { port, authority, own, _terminal: terminal })
}

impl Tls {
    /// Gives the address, as `tracking.uri` names it.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Gives the file that holds the authority's certificate.
    pub fn authority(&self) -> &std::path::Path {
        &self.authority
    }

    /// Gives the file that holds a certificate of that authority, with its key.
    pub fn own(&self) -> &std::path::Path {
        &self.own
    }
}
