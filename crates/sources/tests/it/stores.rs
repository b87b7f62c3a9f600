//! S3, as a server that speaks like it: every form of a file, patterns, and what is not there.

use std::fs;
use std::path::Path;

use trainyard_data::ReadOptions;
use trainyard_judges::{S3, s3};
use trainyard_sources::{Runtime, look};

use crate::given::{csv, data, fetched, set, text, told};

/// Starts a server with a bucket, and says where it is.
fn shop() -> Option<S3> {
    let mut server = s3()?;
    server.bucket("shop");
    let url = server.url();
    set(&[("AWS_ENDPOINT_URL", &url), ("AWS_ACCESS_KEY_ID", "ours"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")]);
    set(&[("AWS_REGION", "us-east-1"), ("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")]);
    Some(server)
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let file = folder.join(name);
    fs::write(&file, bytes).unwrap();
    file
}

const TABLE: &str = "customerID,MonthlyCharges,Churn\n1,2.5,Yes\n2,,No\n3,4.25,No\n";

#[test]
fn every_form_of_a_file_is_read() {
    let Some(mut server) = shop() else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected = csv(TABLE.as_bytes(), &ReadOptions::default());
    let lines = "{\"customerID\": 1, \"MonthlyCharges\": 2.5, \"Churn\": \"Yes\"}\n\
                 {\"customerID\": 2, \"Churn\": \"No\"}\n{\"customerID\": 3, \"MonthlyCharges\": 4.25, \"Churn\": \"No\"}\n";
    let packed = zstd::encode_all(TABLE.as_bytes(), 3).unwrap();
    let forms: [(&str, Vec<u8>); 6] = [
        ("customers.csv", TABLE.into()),
        ("customers.tsv", TABLE.replace(',', "\t").into()),
        ("customers.v1.csv.zst", packed),
        ("customers.ndjson", lines.into()),
        ("customers.jsonl.gz", gzip(lines.as_bytes())),
        ("customers.parquet", trainyard_data::to_parquet(&expected).unwrap()),
    ];
    for (name, bytes) in forms {
        let tag = server.put("shop", &format!("data/raw/{name}"), &written(folder.path(), name, &bytes));
        let (found, listing) = fetched(&format!("s3://shop/data/raw/{name}")).unwrap();
        assert_eq!(text(&found), text(&expected), "{name}");
        assert_eq!(listing.objects[0].e_tag, Some(tag));
        assert_eq!(listing.objects[0].size, bytes.len() as u64);
    }
}

/// Packs by the program that everybody has.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut program = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    program.stdin.take().unwrap().write_all(bytes).unwrap();
    program.wait_with_output().unwrap().stdout
}

#[test]
fn a_pattern_is_one_table_in_the_order_of_names() {
    let Some(mut server) = shop() else { return };
    let folder = tempfile::tempdir().unwrap();
    let part = |row: u32| format!("customerID,Churn\n{row},No\n");
    for (key, row) in [("raw/part-10.csv", 10), ("raw/part-2.csv", 2), ("raw/part-1.csv", 1), ("raw/other.csv", 7)] {
        server.put("shop", key, &written(folder.path(), "part", part(row).as_bytes()));
    }
    // Neither what is deeper nor what only begins so.
    server.put("shop", "raw/part-3/x.csv", &written(folder.path(), "part", part(3).as_bytes()));
    server.put("shop", "raw/part-4.csv.bak", &written(folder.path(), "part", part(4).as_bytes()));
    let (found, listing) = fetched("s3://shop/raw/part-*.csv").unwrap();
    assert_eq!(text(&found), "customerID,Churn\n1,No\n10,No\n2,No\n");
    let names: Vec<&str> = listing.objects.iter().map(|object| object.shown.as_str()).collect();
    assert_eq!(names, ["s3://shop/raw/part-1.csv", "s3://shop/raw/part-10.csv", "s3://shop/raw/part-2.csv"]);
    let (found, _) = fetched("s3://shop/raw/part-?.csv").unwrap();
    assert_eq!(text(&found), "customerID,Churn\n1,No\n2,No\n");

    // One that comes, goes or changes makes it another source; what a run does not read does not.
    let digest = || {
        let data = data("  source: s3://shop/raw/part-*.csv\n  target: Churn").unwrap();
        look(&Runtime::default(), &data).unwrap().digest().unwrap()
    };
    let first = digest();
    server.put("shop", "raw/other.csv", &written(folder.path(), "part", part(8).as_bytes()));
    assert_eq!(digest(), first);
    server.put("shop", "raw/part-2.csv", &written(folder.path(), "part", part(2).as_bytes()));
    assert_eq!(digest(), first);
    server.put("shop", "raw/part-2.csv", &written(folder.path(), "part", part(5).as_bytes()));
    let second = digest();
    assert_ne!(second, first);
    server.put("shop", "raw/part-5.csv", &written(folder.path(), "part", part(5).as_bytes()));
    assert_ne!(digest(), second);

    // A part of other columns is named by its own address.
    server.put("shop", "raw/part-9.csv", &written(folder.path(), "part", b"customer,Churn\n1,No\n"));
    let (code, words) = told(fetched("s3://shop/raw/part-*.csv"));
    assert_eq!(code, "data/other-columns");
    assert!(words.contains("s3://shop/raw/part-9.csv"), "{words}");
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let Some(mut server) = shop() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "customers.csv", TABLE.as_bytes());
    server.put("shop", "data/raw/customers.csv", &file);
    let (code, words) = told(fetched("s3://shop/data/raw/custmers.csv"));
    assert_eq!(code, "source/no-object");
    assert!(words.contains("there is no s3://shop/data/raw/custmers.csv"), "{words}");
    assert!(words.contains("did you mean `customers.csv`?"), "{words}");
    let (code, words) = told(fetched("s3://shop/elsewhere/x.csv"));
    assert_eq!(code, "source/no-object");
    assert!(words.contains("nothing can be listed beside it"), "{words}");
    let (code, words) = told(fetched("s3://shop/data/raw/part-*.csv"));
    assert_eq!(code, "source/no-object");
    assert!(words.contains("no object has a name of s3://shop/data/raw/part-*.csv"), "{words}");
    assert!(words.contains("customers.csv"), "{words}");
    for address in ["s3://ship/data/raw/customers.csv", "s3://ship/data/raw/*.csv"] {
        let (code, words) = told(fetched(address));
        assert_eq!(code, "source/no-bucket", "{words}");
        assert!(words.contains("S3 has no bucket ship"), "{words}");
    }
}

#[test]
fn somebody_has_to_ask() {
    // Nobody answers where a machine of Amazon's would say who it is.
    set(&[("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    let (code, words) = told(fetched("s3://shop/customers.csv"));
    assert_eq!(code, "source/no-credentials", "{words}");
    assert!(words.contains("AWS_ACCESS_KEY_ID") && words.contains("AWS_SKIP_SIGNATURE=true"), "{words}");
    // Half a name is a mistake of the settings.
    set(&[("AWS_ACCESS_KEY_ID", "ours")]);
    let (code, words) = told(fetched("s3://shop/customers.csv"));
    assert_eq!(code, "source/settings", "{words}");
    set(&[("AWS_SECRET_ACCESS_KEY", "s3cr3t")]);
    let (code, words) = told(fetched("s3://shop/customers.csv"));
    assert_eq!(code, "source/unreachable", "{words}");
    assert!(!words.contains("s3cr3t"), "{words}");
}
