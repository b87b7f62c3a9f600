//! An MLflow server of a test's own, with its official client beside it: in a temporary folder, on a free port, ended
//! after.

use serde_json::{Value, json};

use crate::dialogue::Dialogue;
use crate::python;

/// Starts and kills a server when asked to, and runs what the official client is to do; serves until its input ends,
/// which it does with the process that started it.
const SERVER: &str = r#"
import contextlib, json, os, signal, socket, subprocess, sys, tempfile, time, traceback, urllib.request

folder = tempfile.TemporaryDirectory(prefix="trainyard-mlflow-")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
url = f"http://127.0.0.1:{port}"
server = None

def start():
    global server
    arguments = [sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1",
                 "--port", str(port), "--backend-store-uri", f"sqlite:///{folder.name}/runs.db",
                 "--artifacts-destination", f"{folder.name}/artifacts"]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = open(f"{folder.name}/log", "a")
    server = subprocess.Popen(arguments, env={**os.environ, **settings}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              start_new_session=True)
    begun = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(url + "/health", timeout=1).read()
            return
        except OSError:
            if time.monotonic() - begun > 180 or server.poll() is not None:
                raise SystemExit(open(f"{folder.name}/log").read())
            time.sleep(0.05)

def kill():
    global server
    if server is not None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        server = None

def cpu_ms():
    ticks = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{process}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == server.pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")

def number(value):
    return value if value == value and abs(value) != float("inf") else str(value)

os.environ.update(MLFLOW_TRACKING_URI=url, MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false")
names = {"number": number, "cpu_ms": cpu_ms, "folder": folder.name, "port": port, "url": url}
try:
    start()
    print(json.dumps(port), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = None
        if asked["do"] == "start":
            start()
        elif asked["do"] == "kill":
            kill()
        else:
            if "client" not in names:
                import mlflow
                names |= {"mlflow": mlflow, "client": mlflow.MlflowClient()}
            own = {**names, "given": asked["given"]}
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    exec(asked["code"], own)
                answer = own.get("answer")
            except Exception:
                answer = {"it failed": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
finally:
    kill()
    folder.cleanup()
"#;

/// A running server.
#[derive(Debug)]
pub struct Mlflow {
    port: u64,
    server: Dialogue,
}

/// Starts a server, which takes some seconds; prints why a test is skipped where the Python environment is absent.
///
/// # Panics
/// Panics when it is absent although `TRAINYARD_REQUIRE_JUDGES` is set, and when the server does not start.
pub fn mlflow() -> Option<Mlflow> {
    let judge = python("tracking")?;
    let mut server = Dialogue::start(&judge, SERVER, &[]);
    let port = server.answer().as_u64().expect("the server says where it listens");
    Some(Mlflow { port, server })
}

impl Mlflow {
    /// Gives the address, as `tracking.uri` names it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Gives the port.
    pub fn port(&self) -> u16 {
        self.port.try_into().expect("a port has sixteen bits")
    }

    /// Ends the server as a power cut would.
    ///
    /// # Panics
    /// Panics when it can't be ended.
    pub fn kill(&mut self) {
        self.server.ask(&json!({ "do": "kill" }));
    }

    /// Starts the server again, with all that it had.
    ///
    /// # Panics
    /// Panics when it does not start.
    pub fn start(&mut self) {
        self.server.ask(&json!({ "do": "start" }));
    }

    /// Runs Python, in which `mlflow` is the official package, `client` its client of this server and `given` a value of
    /// the test's; gives what it leaves as `answer`.
    ///
    /// # Panics
    /// Panics when the code fails.
    pub fn ask(&mut self, code: &str, given: &Value) -> Value {
        let answer = self.server.ask(&json!({ "do": "run", "code": code, "given": given }));
        assert!(answer["it failed"].is_null(), "{}", answer["it failed"].as_str().unwrap_or_default());
        answer
    }
}
