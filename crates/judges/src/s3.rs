//! A server that speaks as S3 does, of a test's own: in a process of the pinned Python, on a free port, ended after.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::dialogue::Dialogue;
use crate::python;

/// Serves until its input ends, which it does with the process that started it; makes buckets and objects on the way.
const SERVER: &str = r#"
import json, os, sys
import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
client = boto3.client("s3", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}",
                      aws_access_key_id="ours", aws_secret_access_key="secret")
print(json.dumps(port), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["key"] is None:
        client.create_bucket(Bucket=asked["bucket"])
        answer = None
    elif asked["key"] == "":
        found = client.get_paginator("list_objects_v2").paginate(Bucket=asked["bucket"])
        answer = {one["Key"]: one["Size"] for page in found for one in page.get("Contents", [])}
    elif asked["fetch"]:
        client.download_file(asked["bucket"], asked["key"], asked["file"])
        answer = None
    else:
        client.upload_file(asked["file"], asked["bucket"], asked["key"])
        answer = client.head_object(Bucket=asked["bucket"], Key=asked["key"])["ETag"]
    print(json.dumps(answer), flush=True)
os._exit(0)
"#;

/// A running server; it lets everybody in.
#[derive(Debug)]
pub struct S3 {
    port: u64,
    server: Dialogue,
}

/// Starts a server; prints why a test is skipped where the Python environment is absent.
///
/// # Panics
/// Panics when it is absent although `TRAINYARD_REQUIRE_JUDGES` is set, and when the server does not start.
pub fn s3() -> Option<S3> {
    let judge = python("objects")?;
    let mut server = Dialogue::start(&judge, SERVER, &[]);
    let port = server.answer().as_u64().expect("the server says where it listens");
    Some(S3 { port, server })
}

impl S3 {
    fn ask(&mut self, bucket: &str, key: Option<&str>, file: Option<&Path>, fetch: bool) -> Value {
        self.server.ask(&json!({ "bucket": bucket, "key": key, "file": file, "fetch": fetch }))
    }

    /// Gives where it listens, as `AWS_ENDPOINT_URL` names it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// Panics when the server does not.
    pub fn bucket(&mut self, name: &str) {
        self.ask(name, None, None, false);
    }

    /// Makes an object of a file, in the place of the one of that name; gives its ETag.
    ///
    /// # Panics
    /// Panics when the server does not.
    pub fn put(&mut self, bucket: &str, key: &str, file: &Path) -> String {
        self.ask(bucket, Some(key), Some(file), false).as_str().expect("an object has an ETag").to_owned()
    }

    /// Fetches an object into a file, by the client of S3's makers.
    ///
    /// # Panics
    /// Panics when the server does not.
    pub fn get(&mut self, bucket: &str, key: &str, file: &Path) {
        self.ask(bucket, Some(key), Some(file), true);
    }

    /// Gives the names of a bucket's objects with their lengths.
    ///
    /// # Panics
    /// Panics when the server does not.
    pub fn list(&mut self, bucket: &str) -> BTreeMap<String, u64> {
        let found = self.ask(bucket, Some(""), None, false);
        serde_json::from_value(found).expect("they are names and lengths")
    }
}
