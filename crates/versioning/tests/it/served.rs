//! A remote of a web server, which breaks off, lies and refuses.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use trainyard_judges::{Asked, Reply, Web};
use trainyard_versioning::{Failure, Md5, Moved, Runtime, add, pull, push};

use crate::place::{Place, paths};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Serves objects, and takes them.
fn serve(objects: &Objects, asked: &Asked) -> Reply {
    let mut objects = objects.lock().unwrap();
    match asked.method.as_str() {
        "PUT" => {
            objects.insert(asked.path.clone(), asked.body.clone());
            Reply::status(201)
        }
        _ => match objects.get(&asked.path) {
            Some(bytes) => Reply::file(asked, bytes, Some("\"one\"")),
            None => Reply::status(404),
        },
    }
}

/// Makes a project of a remote, with data of which one file comes in several packets.
fn project(web: &Web) -> Place {
    let place = Place::in_git();
    place.write("d/long", (0..200_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    (0..5).for_each(|file| place.write(&format!("d/{file}"), format!("{file}")));
    add(&place.repository(), &paths(&["d"]), &|_| true).unwrap();
    place
        .write(".dvc/config", format!("[core]\n    remote = web\n['remote \"web\"']\n    url = {}/data/\n", web.url()));
    place
}

fn pushed(place: &Place) -> Result<Vec<Moved>, Failure> {
    push(&place.repository(), &Runtime::default(), &[], None, &|_| true)
}

/// Loses all data of a project, and pulls it.
fn pulled(place: &Place) -> Result<Moved, (String, Vec<String>)> {
    let _ = fs::remove_dir_all(place.path(".dvc/cache"));
    let _ = fs::remove_dir_all(place.path("d"));
    more(place)
}

fn more(place: &Place) -> Result<Moved, (String, Vec<String>)> {
    match pull(&place.repository(), &Runtime::default(), &[], None, false, &|_| true) {
        Ok((mut moved, _)) => Ok(moved.remove(0)),
        Err(failure) => {
            let diagnostic = failure.errors[0].diagnostic();
            Err((diagnostic.code, diagnostic.notes))
        }
    }
}

fn objects_here(place: &Place) -> usize {
    let objects = place.objects();
    for path in objects.keys() {
        let bytes = fs::read(place.path(path)).unwrap();
        let name = path.trim_start_matches(".dvc/cache/files/md5/").replace('/', "");
        assert_eq!(Md5::of(&bytes).to_string(), name.trim_end_matches(".dir"));
    }
    objects.len()
}

#[test]
fn what_is_pushed_to_a_web_server_comes_back_whatever_it_breaks_off() {
    let objects = Objects::default();
    let served = Arc::clone(&objects);
    let web = Web::new(move |asked| {
        let reply = serve(&served, asked);
        // The long one comes in parts, since each connection breaks off.
        if asked.method == "GET" { reply.cut(300_000) } else { reply }
    });
    let place = project(&web);
    let moved = pushed(&place).unwrap();
    assert_eq!((moved[0].objects, moved[0].present), (7, 0));
    let last = objects.lock().unwrap().keys().filter(|path| path.ends_with(".dir")).count();
    assert_eq!(last, 1);
    // The list went last.
    let puts: Vec<String> =
        web.heard().into_iter().filter(|asked| asked.method == "PUT").map(|asked| asked.path).collect();
    assert!(puts.last().unwrap().ends_with(".dir") && puts[0].starts_with("/data/files/md5/"), "{puts:?}");
    assert_eq!(pushed(&place).unwrap()[0].present, 7);
    assert_eq!(web.count("PUT"), 7);
    let moved = pulled(&place).unwrap();
    assert_eq!((moved.objects, objects_here(&place)), (7, 7));
    assert!(web.heard().iter().any(|asked| asked.headers.contains_key("range")));
}

#[test]
fn a_server_that_dies_half_way_leaves_what_came_and_is_named() {
    let objects = Objects::default();
    let served = Arc::clone(&objects);
    let dies = Arc::new(Mutex::new(false));
    let dead = Arc::clone(&dies);
    let web = Web::new(move |asked| {
        let reply = serve(&served, asked);
        let is_long = asked.path.ends_with(&Md5::of(&long()).to_string()[2..]);
        if *dead.lock().unwrap() && is_long { Reply::status(503) } else { reply }
    });
    let place = project(&web);
    pushed(&place).unwrap();
    *dies.lock().unwrap() = true;
    let (code, notes) = pulled(&place).unwrap_err();
    assert_eq!(code, "versioned/remote-lost");
    assert!(notes[0].contains("503") && notes[1].contains("objects came through, and stay"), "{notes:?}");
    let before = objects_here(&place);
    assert!(before > 1, "{before}");
    *dies.lock().unwrap() = false;
    assert_eq!(more(&place).unwrap().objects, 7 - before);
    assert_eq!(objects_here(&place), 7);
}

fn long() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn lies_are_refused_and_named() {
    type Lie = fn(Reply, &Asked) -> Reply;
    let lies: [(Lie, &str); 7] = [
        (|_, asked| Reply::file(asked, b"another", None), "versioned/remote-bytes"),
        (|reply, _| reply.with("content-length", "100"), "versioned/remote-lost"),
        (|reply, _| reply.cut(0), "versioned/remote-lost"),
        (|_, _| Reply::status(404), "versioned/remote-lacks"),
        (|_, _| Reply::status(403), "versioned/remote-denied"),
        (|_, _| Reply::status(410), "versioned/remote-refused"),
        (
            |_, _| Reply::status(200).with("transfer-encoding", "chunked").body(b"1\r\n3\r\n0\r\n\r\n"),
            "versioned/remote-refused",
        ),
    ];
    for (number, (lie, expected)) in lies.into_iter().enumerate() {
        let objects = Objects::default();
        let served = Arc::clone(&objects);
        let web = Web::new(move |asked| {
            let reply = serve(&served, asked);
            let is_three = asked.path.ends_with(&Md5::of(b"3").to_string()[2..]);
            if asked.method == "GET" && is_three { lie(reply, asked) } else { reply }
        });
        let place = project(&web);
        pushed(&place).unwrap();
        let (code, notes) = pulled(&place).unwrap_err();
        assert_eq!(code, expected, "{number}: {notes:?}");
        assert!(objects_here(&place) < 7 && !place.path("d").exists(), "{number}");
        if ["versioned/remote-bytes", "versioned/remote-lacks"].contains(&expected) {
            assert!(notes[0].starts_with("d/3: object "), "{notes:?}");
            assert_eq!(objects_here(&place), 6);
        }
    }
}

#[test]
fn nobody_there_is_said_without_the_password() {
    let web = Web::new(|_| Reply::status(404));
    let place = project(&web);
    for url in ["http://ada:s3cr3t@127.0.0.1:1/data", "http://no-such-host.invalid/data"] {
        place.write(".dvc/config", format!("[core]\n    remote = web\n['remote \"web\"']\n    url = {url}\n"));
        let failure = pushed(&place).unwrap_err();
        let diagnostic = failure.errors[0].diagnostic();
        assert_eq!(diagnostic.code, "versioned/remote-lost", "{diagnostic:?}");
        assert!(!format!("{diagnostic:?}").contains("s3cr3t"), "{diagnostic:?}");
    }
}

#[test]
fn an_object_that_no_memory_should_hold_is_not_sent_and_the_others_are() {
    let objects = Objects::default();
    let served = Arc::clone(&objects);
    let web = Web::new(move |asked| serve(&served, asked));
    let place = project(&web);
    // A byte too long, and of nothing but a hole: it is refused before it is read.
    let digits = "d41d8cd98f00b204e9800998ecf8427e";
    place.write("long.dvc", format!("outs:\n- md5: {digits}\n  hash: md5\n  path: long\n"));
    let object = place.path(".dvc/cache/files/md5").join(&digits[..2]).join(&digits[2..]);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::File::create(object).unwrap().set_len((1 << 30) + 1).unwrap();
    let failure = pushed(&place).unwrap_err();
    let told = failure.errors[0].diagnostic();
    assert_eq!((failure.errors.len(), told.code.as_str()), (1, "versioned/object-too-long"));
    assert!(told.notes[0].starts_with("long: ") && told.notes[1].contains("at most 1024 MiB"), "{told:?}");
    assert_eq!(objects.lock().unwrap().len(), 7);
}
