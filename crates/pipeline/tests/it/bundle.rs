//! A bundle is written whole or not at all, and says what it lacks.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use trainyard_faults::{RecordingIo, Then};
use trainyard_files::{DiskIo, Io};
use trainyard_pipeline::{Cancel, Failure, Request, Silent, export, verify_bundle};

use crate::shop;
use crate::whole::{half_written, run_on};

#[test]
fn a_bundle_is_there_whole_or_not_at_all_wherever_the_disk_fails() {
    let folder = shop::project();
    let root = folder.path().join("shop");
    let run = run_on(&root, Arc::new(DiskIo)).unwrap().run;
    let bundle = root.join("run.tar.zst");
    let export_on = |io: Arc<dyn Io>| export(&Request { io, ..shop::request(&root) }, &run, &bundle, false);
    let io = RecordingIo::new(&root);
    export_on(Arc::new(io.clone())).unwrap();
    let (whole, changes) = (fs::read(&bundle).unwrap(), io.ops().len());
    assert!(changes >= 5, "{:?}", io.ops());
    for at in 0..changes {
        for then in [Then::Full, Then::Stops(ErrorKind::PermissionDenied)] {
            fs::write(&bundle, "what was there").unwrap();
            let result = export_on(Arc::new(RecordingIo::failing(&root, at, then)));
            let now = fs::read(&bundle).unwrap();
            match result {
                Ok(_) => assert!(now == whole, "{then:?} at {at}"),
                Err(Failure::Problems(problems)) => {
                    assert!(now == b"what was there" || now == whole, "{then:?} at {at}");
                    assert!(!problems[0].help.is_empty(), "{problems:?}");
                }
                Err(failure) => panic!("{then:?} at {at}: {failure:?}"),
            }
            if then == Then::Full {
                assert_eq!(half_written(&root), Vec::<PathBuf>::new(), "at {at}");
            }
            half_written(&root).iter().for_each(|left| fs::remove_file(root.join(left)).unwrap());
        }
    }
    fs::write(&bundle, &whole).unwrap();
    let request = shop::request(folder.path());
    let report = verify_bundle(&request, &bundle, &[1], Arc::new(Silent), &Cancel::default()).unwrap();
    assert!(report.identical && report.run == run && !report.source_changed, "{report:?}");
}

#[test]
fn a_stopped_verification_of_a_bundle_says_that_it_was_stopped() {
    let folder = shop::project();
    let root = folder.path().join("shop");
    let run = run_on(&root, Arc::new(DiskIo)).unwrap().run;
    let bundle = root.join("run.tar.zst");
    export(&shop::request(&root), &run, &bundle, true).unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let result = verify_bundle(&shop::request(&root), &bundle, &[1], Arc::new(Silent), &cancel);
    assert!(matches!(&result, Err(Failure::Interrupted { run }) if run.ends_with("run.tar.zst")), "{result:?}");
}
