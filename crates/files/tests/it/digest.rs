//! Digests of bytes, files and structured keys.

use std::fs;

use tempfile::tempdir;
use trainyard_files::{Cause, Digest, Digester, DiskIo, Error, hash_file};

/// Published by BLAKE3's authors (test_vectors.json, input length 0).
const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

#[test]
fn known_answer_and_text_form() {
    let digest = Digest::of(b"");
    assert_eq!(digest.to_string(), EMPTY);
    assert_eq!(digest.short(), &EMPTY[..12]);
    assert_eq!(EMPTY.parse::<Digest>().unwrap(), digest);
    assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{EMPTY}\""));
    assert_eq!(serde_json::from_str::<Digest>(&format!("\"{EMPTY}\"")).unwrap(), digest);
    for bad in ["", "af13", &EMPTY[1..], &format!("{EMPTY}0"), &EMPTY.replace('a', "g"), "é"] {
        assert_eq!(bad.parse::<Digest>().unwrap_err().text, bad);
    }
}

#[test]
fn different_sequences_have_different_digests() {
    let new = || Digester::new("d");
    let digests = [
        Digester::new("").finish(),
        new().finish(),
        new().text("").finish(),
        new().bytes(b"").finish(),
        new().text("ab").text("c").finish(),
        new().text("a").text("bc").finish(),
        new().text("abc").finish(),
        new().bytes(b"ab").text("c").finish(),
        new().number(1).finish(),
        new().bytes(&1_u64.to_le_bytes()).finish(),
        new().digest(&Digest::of(b"")).finish(),
        new().bytes(Digest::of(b"").as_bytes()).finish(),
        Digester::new("da").text("b").finish(),
    ];
    let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), digests.len());
    assert_eq!(digests[4], new().text("ab").text("c").finish());
}

#[test]
fn a_file_has_the_digest_of_its_bytes() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    for length in [0, 1, 131_071, 131_072, 131_073, 1_000_000] {
        let bytes: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(hash_file(&DiskIo, &path).unwrap(), (Digest::of(&bytes), length as u64));
    }
    let error = hash_file(&DiskIo, &dir.path().join("absent")).unwrap_err();
    assert!(matches!(&error, Error::Io { cause: Cause::NotFound, path, .. } if path.ends_with("absent")), "{error:?}");
    assert!(hash_file(&DiskIo, dir.path()).is_err());
}
