//! Objects of a web server, which breaks off, changes and refuses.

use trainyard_data::ReadOptions;
use trainyard_files::{Digest, DiskIo};
use trainyard_judges::{Asked, Reply, Web};
use trainyard_sources::{Listing, Runtime, fetch, look};

use crate::given::{csv, data, fetched, set, text, told};

/// A table that no single packet holds.
fn table() -> Vec<u8> {
    let rows = (0..40_000).map(|row| format!("{row},{}.5,{}\n", row % 97, if row % 3 == 0 { "Yes" } else { "No" }));
    let head = "customerID,MonthlyCharges,Churn\n".to_owned();
    rows.fold(head, |text, row| text + &row).into_bytes()
}

fn same(found: &arrow_array::RecordBatch, bytes: &[u8]) {
    assert_eq!(text(found), text(&csv(bytes, &ReadOptions::default())));
}

fn listing(url: &str) -> Listing {
    look(&Runtime::default(), &data(&format!("  source: \"{url}\"\n  target: Churn")).unwrap()).unwrap()
}

#[test]
fn a_download_goes_on_where_it_broke() {
    let bytes = table();
    let served = bytes.clone();
    // Each of the first three connections breaks off after some bytes more.
    let web = Web::new(move |asked: &Asked| {
        let reply = Reply::file(asked, &served, Some("\"one\""));
        if asked.before < 3 { reply.cut(100_000) } else { reply }
    });
    let (found, listing) = fetched(&format!("{}/data/customers.csv", web.url())).unwrap();
    same(&found, &bytes);
    assert_eq!(listing.objects[0].content, Some(Digest::of(&bytes)));
    assert_eq!(listing.objects[0].e_tag.as_deref(), Some("\"one\""));
    let asked: Vec<Asked> = web.heard().into_iter().filter(|asked| asked.method == "GET").collect();
    let ranges: Vec<Option<&str>> = asked.iter().map(|asked| asked.headers.get("range").map(String::as_str)).collect();
    assert_eq!(asked.len(), 4);
    assert_eq!(ranges[0], None);
    // Whatever arrived before the break is kept: the parts begin further and further behind.
    let starts: Vec<usize> = ranges[1..]
        .iter()
        .map(|range| range.unwrap().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap())
        .collect();
    assert!(starts.is_sorted() && starts[2] > starts[0], "{starts:?}");
    assert!(asked.iter().all(|asked| asked.headers.get("if-match").is_some_and(|tag| tag == "\"one\"")));
}

#[test]
fn without_an_etag_a_download_begins_anew() {
    let bytes = table();
    let served = bytes.clone();
    let web = Web::new(move |asked: &Asked| {
        let reply = Reply::file(asked, &served, None).with("last-modified", "Sun, 01 Feb 2026 10:00:00 GMT");
        if asked.method == "GET" && asked.before == 0 { reply.cut(50_000) } else { reply }
    });
    let (found, listing) = fetched(&format!("{}/customers.csv", web.url())).unwrap();
    same(&found, &bytes);
    assert_eq!(listing.objects[0].modified, Some(1_769_940_000_000_000));
    assert!(web.heard().iter().all(|asked| !asked.headers.contains_key("range")));
    assert_eq!(web.count("GET"), 2);
}

#[test]
fn a_server_without_parts_is_read_from_the_beginning() {
    let bytes = table();
    let served = bytes.clone();
    let web = Web::new(move |asked: &Asked| {
        let mut whole = asked.clone();
        whole.headers.remove("range");
        let reply = Reply::file(&whole, &served, Some("\"one\""));
        if asked.method == "GET" && asked.before == 0 { reply.cut(50_000) } else { reply }
    });
    let (found, _) = fetched(&format!("{}/customers.csv", web.url())).unwrap();
    same(&found, &bytes);
}

#[test]
fn an_object_that_changes_is_read_as_it_is_then() {
    let old = table();
    let new = [old.as_slice(), b"40000,1.5,Yes\n"].concat();
    let (before, after) = (old.clone(), new.clone());
    let web = Web::new(move |asked: &Asked| match (asked.method.as_str(), asked.before) {
        ("GET", 0) => Reply::file(asked, &before, Some("\"old\"")).cut(90_000),
        ("HEAD", 0) => Reply::file(asked, &before, Some("\"old\"")),
        _ => Reply::file(asked, &after, Some("\"new\"")),
    });
    let url = format!("{}/customers.csv", web.url());
    let first = listing(&url);
    // That asking was the first; the file changes from here on.
    let runtime = Runtime::default();
    let folder = tempfile::tempdir().unwrap();
    let spec = data(&format!("  source: \"{url}\"\n  target: Churn")).unwrap();
    let (found, second) = fetch(&runtime, &DiskIo, folder.path(), &spec, first.clone(), &mut |_, _| true).unwrap();
    same(&found, &new);
    assert_eq!(second.objects[0].e_tag.as_deref(), Some("\"new\""));
    assert_ne!(first.digest(), second.digest());
}

#[test]
fn an_object_that_never_rests_is_refused() {
    let web = Web::new(|asked: &Asked| {
        let bytes = format!("customerID,Churn\n{},Yes\n", asked.before);
        let tag = format!("\"{} {}\"", asked.method, asked.before);
        let mut any = asked.clone();
        any.headers.remove("if-match");
        Reply::file(&any, bytes.as_bytes(), Some(&tag)).with("last-modified", "Sun, 01 Feb 2026 10:00:00 GMT")
    });
    let (code, words) = told(fetched(&format!("{}/customers.csv", web.url())));
    assert_eq!(code, "source/changed");
    assert!(words.contains("nothing of what was read so far is used"), "{words}");
    assert_eq!(web.count("GET"), 4);
}

#[test]
fn a_connection_that_always_breaks_ends_clearly() {
    let bytes = table();
    let web = Web::new(move |asked: &Asked| Reply::file(asked, &bytes, None).cut(10_000));
    let (code, words) = told(fetched(&format!("{}/customers.csv", web.url())));
    assert_eq!(code, "source/cut-off");
    assert!(
        words.contains("broke off 4 times") && words.contains("nothing of what was read so far is used"),
        "{words}"
    );
    assert_eq!(web.count("GET"), 4);
}

#[test]
fn a_shorter_body_is_no_object() {
    // The server says a length and closes well before it, each time without an error of its own.
    let web = Web::new(|asked: &Asked| {
        Reply::file(asked, b"customerID,Churn\n1,Yes\n", Some("\"a\"")).with("content-length", "60")
    });
    let (code, words) = told(fetched(&format!("{}/customers.csv", web.url())));
    assert_eq!(code, "source/cut-off", "{words}");
}

#[test]
fn what_a_server_refuses_is_said() {
    for (status, code, asked) in [
        (401, "source/not-allowed", 2),
        (403, "source/not-allowed", 2),
        (404, "source/no-object", 2),
        (410, "source/server", 2),
        (500, "source/unreachable", 4),
        (503, "source/unreachable", 4),
    ] {
        let web = Web::new(move |_: &Asked| Reply::status(status));
        let url = format!("{}/customers.csv?version=1&X-Amz-Signature=s3cr3t", web.url());
        let (found, words) = told(fetched(&url));
        assert_eq!(found, code, "{words}");
        assert!(words.contains("version=1&X-Amz-Signature=******") && !words.contains("s3cr3t"), "{words}");
        assert!([401, 403, 410, 500, 503].iter().all(|other| *other != status || words.contains(&status.to_string())));
        assert_eq!(web.heard().len(), asked, "{status}");
    }
}

#[test]
fn nobody_there_is_said() {
    let (code, words) = told(fetched("http://127.0.0.1:1/customers.csv"));
    assert_eq!(code, "source/unreachable");
    assert!(words.contains("Connection refused"), "{words}");
}

#[test]
fn a_server_that_only_lets_read_is_asked_by_reading() {
    let bytes = table();
    let served = bytes.clone();
    let web = Web::new(move |asked: &Asked| match asked.method.as_str() {
        "HEAD" => Reply::status(403),
        _ => Reply::file(asked, &served, Some("\"one\"")),
    });
    let (found, _) = fetched(&format!("{}/customers.csv", web.url())).unwrap();
    same(&found, &bytes);
}

#[test]
fn a_server_that_says_no_length_is_refused() {
    let web =
        Web::new(|_: &Asked| Reply::status(200).with("transfer-encoding", "chunked").body(b"5\r\na,b\n1\r\n0\r\n\r\n"));
    let (code, words) = told(fetched(&format!("{}/customers.csv", web.url())));
    assert_eq!(code, "source/server");
    assert!(words.contains("does not say how long it is"), "{words}");
}

#[test]
fn an_object_is_known_by_what_tells_it_apart() {
    let known = |say: fn(&Asked) -> Reply, query: &str| {
        let web = Web::new(say);
        let found = listing(&format!("{}/customers.csv{query}", web.url()));
        assert_eq!(web.count("GET"), 0);
        // The port is not the same twice.
        (found.objects[0].clone(), found.digest())
    };
    fn file(asked: &Asked) -> Reply {
        Reply::file(asked, b"customerID,Churn\n1,Yes\n", None)
    }
    let (object, digest) = known(file, "");
    assert_eq!((object.size, object.e_tag, object.modified, digest), (23, None, None, None));
    let (object, digest) = known(|asked| file(asked).with("last-modified", "Sun, 01 Feb 2026 10:00:00 GMT"), "");
    assert!(object.modified.is_some() && digest.is_some());
    let (object, digest) = known(|asked| file(asked).with("etag", "W/\"1\""), "");
    assert_eq!(object.e_tag.as_deref(), Some("W/\"1\""));
    assert!(digest.is_some());

    // One server, so that the address is the same: time, weak ETag and size each make another object, a signature does not.
    let web = Web::new(|asked: &Asked| {
        let bytes =
            if asked.path.contains("longer") { "customerID,Churn\n10,Yes\n" } else { "customerID,Churn\n1,Yes\n" };
        let hour = if asked.path.contains("later") { 11 } else { 10 };
        let reply = Reply::file(asked, bytes.as_bytes(), None);
        let reply = reply.with("last-modified", format!("Sun, 01 Feb 2026 {hour}:00:00 GMT"));
        match asked.path.contains("weak") {
            true => reply.with("etag", "W/\"1\""),
            false if asked.path.contains("strong") => reply.with("etag", "\"1\""),
            false => reply,
        }
    });
    let digest = |query: &str| listing(&format!("{}/customers.csv?sig=1&{query}", web.url())).digest().unwrap();
    assert_eq!(digest("sig=2"), digest("sig=3"));
    assert_ne!(digest(""), digest("later"));
    assert_ne!(digest("weak"), digest("weak-later"));
    assert_eq!(digest("strong"), digest("strong-later"));
    assert_ne!(digest("strong"), digest("strong-longer"));
    let unsigned = |query: &str| listing(&format!("{}/customers.csv?{query}", web.url())).digest().unwrap();
    assert_ne!(unsigned("version=1"), unsigned("version=2"));
}

#[test]
fn what_no_server_tells_apart_is_known_by_its_content() {
    let web = Web::new(|asked: &Asked| Reply::file(asked, b"customerID,Churn\n1,Yes\n", None));
    let url = format!("{}/customers.csv", web.url());
    let (_, one) = fetched(&url).unwrap();
    let (_, again) = fetched(&url).unwrap();
    assert!(one.digest().is_some());
    assert_eq!(one.digest(), again.digest());
}

#[test]
fn who_asks_to_stop_is_heard() {
    let bytes = table();
    let web = Web::new(move |asked: &Asked| Reply::file(asked, &bytes, Some("\"one\"")));
    let spec = data(&format!("  source: \"{}/customers.csv\"\n  target: Churn", web.url())).unwrap();
    let (runtime, folder) = (Runtime::default(), tempfile::tempdir().unwrap());
    let listing = look(&runtime, &spec).unwrap();
    let mut last = 0;
    let stopped = fetch(&runtime, &DiskIo, folder.path(), &spec, listing, &mut |done, all| {
        assert!(done > last && done <= all);
        last = done;
        done < 100_000
    });
    assert!(stopped.is_err_and(|error| error.is_interruption()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_name_that_is_no_table_is_refused_before_anybody_is_asked() {
    let web = Web::new(|_: &Asked| Reply::status(500));
    let (code, _) = told(fetched(&format!("{}/customers.xlsx?x=.csv", web.url())));
    assert_eq!(code, "data/unknown-format");
    assert!(web.heard().is_empty());
}

#[test]
fn google_and_azure_are_asked_as_the_environment_says() {
    let bytes = table();
    let served = bytes.clone();
    let web = Web::new(move |asked: &Asked| {
        let reply = Reply::file(asked, &served, Some("\"one\""));
        let reply = reply.with("last-modified", "Sun, 01 Feb 2026 10:00:00 GMT");
        if asked.method == "GET" && asked.before == 0 { reply.cut(50_000) } else { reply }
    });
    let url = web.url();
    set(&[("GOOGLE_BASE_URL", &url), ("GOOGLE_SKIP_SIGNATURE", "true")]);
    let (found, listing) = fetched("gs://shop/data/customers.csv").unwrap();
    same(&found, &bytes);
    assert_eq!(listing.objects[0].shown, "gs://shop/data/customers.csv");
    let paths = |from: usize| -> Vec<String> {
        web.heard()[from..].iter().map(|asked| asked.path.replace("%2F", "/").replace("%2E", ".")).collect()
    };
    assert!(paths(0).iter().all(|path| path == "/shop/data/customers.csv"), "{:?}", paths(0));
    let asked = web.heard().len();
    set(&[("AZURE_STORAGE_ENDPOINT", &url), ("AZURE_SKIP_SIGNATURE", "true"), ("AZURE_STORAGE_ACCOUNT_NAME", "other")]);
    for address in ["az://shop/data/customers.csv", "abfss://shop@ours.dfs.core.windows.net/data/customers.csv"] {
        same(&fetched(address).unwrap().0, &bytes);
    }
    assert!(paths(asked).iter().all(|path| path.starts_with("/shop/data/customers.csv")), "{:?}", paths(asked));
}
