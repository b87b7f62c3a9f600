//! Images as columns: what every form of PNG means, what is refused, and how that is said.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, LargeStringArray, RecordBatch};
use flate2::{Compression, Crc};
use rayon::ThreadPoolBuilder;
use serde_json::{Value, json};
use trainyard_data::images::{digest, with_pixels, without_pixels};
use trainyard_data::synth::{digit_images, digits};
use trainyard_data::{Error, to_csv};
use trainyard_files::{Digest, DiskIo, FileDigests};
use trainyard_judges::peak_memory;
use trainyard_spec::{ColorMode, Pixels};

fn pixels(height: u32, width: u32, mode: ColorMode) -> Pixels {
    Pixels { column: "file".to_owned(), height, width, mode }
}

fn table(paths: &[Option<&str>]) -> RecordBatch {
    let column: LargeStringArray = paths.iter().copied().collect();
    RecordBatch::try_from_iter_with_nullable([("file", Arc::new(column) as ArrayRef, true)]).unwrap()
}

fn read(folder: &Path, paths: &[Option<&str>], wanted: &[Pixels]) -> Result<RecordBatch, Error> {
    with_pixels(&DiskIo, folder, &table(paths), "labels.csv", wanted, &|_, _| true).map(|read| read.unwrap().table)
}

/// Gives the pixels of every row.
fn matrix(table: &RecordBatch, wanted: &Pixels) -> Vec<Vec<f64>> {
    let columns: Vec<_> = wanted
        .names()
        .iter()
        .map(|name| table.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone())
        .collect();
    (0..table.num_rows()).map(|row| columns.iter().map(|column| column.value(row)).collect()).collect()
}

/// Writes a file of each colour type, depth and way to interlace, with every filter; Pillow reads what it can, numpy
/// knows what was drawn.
const DRAWN: &str = r#"
import numpy as np, struct, zlib, os
from PIL import Image
H, W = 15, 12
rng = np.random.default_rng(7)
def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
def packed(rows, depth):
    h, w, s = rows.shape
    if depth == 16: return rows.astype(">u2").reshape(h, -1).view(np.uint8).reshape(h, -1)
    if depth == 8: return rows.astype(np.uint8).reshape(h, -1)
    bits = ((rows.reshape(h, w, 1) >> np.arange(depth - 1, -1, -1)) & 1).reshape(h, -1)
    return np.packbits(bits.astype(np.uint8), axis=1)
def filtered(lines, step, first):
    above, out = np.zeros(lines.shape[1], int), b""
    for y, line in enumerate(lines.astype(int)):
        kind = (first + y) % 5
        left = np.concatenate([np.zeros(step, int), line])[:len(line)]
        corner = np.concatenate([np.zeros(step, int), above])[:len(line)]
        p = left + above - corner
        a, b, c = abs(p - left), abs(p - above), abs(p - corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        guess = [0, left, above, (left + above) // 2, paeth][kind]
        out += bytes([kind]) + ((line - guess) % 256).astype(np.uint8).tobytes()
        above = line
    return out
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
def png(samples, color, depth, interlaced, more=b""):
    step = max(1, samples.shape[2] * depth // 8)
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in PASSES] if interlaced else [samples]
    raw = b"".join(filtered(packed(part, depth), step, n) for n, part in enumerate(parts) if part.size)
    data = zlib.compress(raw)
    pieces = [data[:5], b"", data[5:40], data[40:]]
    head = struct.pack(">IIBBBBB", W, H, depth, color, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", b"a\0b") + more
            + b"".join(chunk(b"IDAT", piece) for piece in pieces) + chunk(b"IEND", b""))
def luma(rgb):
    return (19595 * rgb[..., 0] + 38470 * rgb[..., 1] + 7471 * rgb[..., 2] + 0x8000) >> 16
def share(to, of):
    edges = lambda n: np.arange(n + 1) / n
    a, b = edges(to), edges(of)
    return np.clip(np.minimum(a[1:, None], b[None, 1:]) - np.maximum(a[:-1, None], b[None, :-1]), 0, None) * to
answer = []
for color, depths in [(0, [1, 2, 4, 8, 16]), (2, [8, 16]), (3, [1, 2, 4, 8]), (4, [8, 16]), (6, [8, 16])]:
    for depth in depths:
        for interlaced in [False, True]:
            for see_through in ([False, True] if color in (0, 2, 3) else [False]):
                count = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
                samples = rng.integers(0, 2 ** depth, (H, W, count))
                if color in (4, 6): samples[0, :, -1] = 2 ** depth - 1
                most = 65535 if depth == 16 else 255
                more, alpha = b"", np.full((H, W), most)
                scale = most // (2 ** depth - 1)
                if color == 3:
                    palette = rng.integers(0, 256, (2 ** depth, 3))
                    more = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
                    rgb = palette[samples[..., 0]]
                    if see_through:
                        alphas = rng.integers(0, 256, 2 ** depth // 2)
                        more += chunk(b"tRNS", alphas.astype(np.uint8).tobytes())
                        alpha = np.concatenate([alphas, np.full(2 ** depth, 255)])[samples[..., 0]]
                elif color in (0, 4):
                    rgb = np.repeat(samples[..., :1] * scale, 3, axis=2)
                    if see_through:
                        key = samples[2, 3]
                        more = chunk(b"tRNS", struct.pack(">H", key[0]))
                        alpha = np.where((samples == key).all(axis=2), 0, most)
                else:
                    rgb = samples[..., :3]
                    if see_through:
                        key = samples[2, 3]
                        more = chunk(b"tRNS", struct.pack(">HHH", *key))
                        alpha = np.where((samples == key).all(axis=2), 0, most)
                if color in (4, 6): alpha = samples[..., -1]
                name = f"{color}_{depth}_{int(interlaced)}_{int(see_through)}.png"
                path = os.path.join(data["folder"], name)
                open(path, "wb").write(png(samples, color, depth, interlaced, more))
                # Pillow compares what is to be seen through with 2 and 4 bits before they are scaled.
                comparable = depth <= 8 and not (color == 0 and see_through and depth in (2, 4))
                if comparable:
                    pillow = np.asarray(Image.open(path).convert("RGBA")).astype(int)
                    assert (pillow[..., 3] == alpha).all() and (pillow[..., :3] == rgb).all(), name
                elif color == 0 and not see_through:
                    assert (np.asarray(Image.open(path)) == samples[..., 0]).all(), name
                else:
                    Image.open(path).load()
                a = alpha[..., None]
                rgb = np.where(a == most, rgb, (rgb * a + most * (most - a) + most // 2) // most)
                opaque = not see_through and color in (0, 2, 3) and depth <= 8
                gray = luma(rgb)
                if opaque:
                    assert (np.asarray(Image.open(path).convert("RGB").convert("L")) == gray).all(), name
                elif comparable:
                    white = Image.new("RGBA", (W, H), "white")
                    white.alpha_composite(Image.open(path).convert("RGBA"))
                    assert abs(np.asarray(white.convert("RGB").convert("L")).astype(int) - gray).max() <= 1, name
                sizes = {}
                for h, w in data["sizes"]:
                    for mode, image in [("gray", gray[..., None]), ("rgb", rgb)]:
                        image = image / (most // 255)
                        whole = (h, w) == (H, W)
                        sized = image if whole else np.einsum("ab,bcd,ec->aed", share(h, H), image, share(w, W))
                        sizes[f"{h}x{w} {mode}"] = sized.reshape(-1)
                    if opaque and H % h == 0 and W % w == 0:
                        box = np.asarray(Image.fromarray(gray.astype(np.uint8)).resize((w, h), Image.BOX))
                        assert abs(box.reshape(-1) - sizes[f"{h}x{w} gray"]).max() <= 1, name
                answer.append({"name": name, "sizes": sizes})
"#;

#[test]
fn every_form_of_png_is_what_pillow_and_numpy_say() {
    let Some(judge) = trainyard_judges::python("images") else { return };
    let folder = tempfile::tempdir().unwrap();
    let sizes = [(15, 12), (8, 8), (5, 3), (1, 1), (30, 24), (7, 20)];
    let drawn = judge.run(DRAWN, &json!({ "folder": folder.path(), "sizes": sizes }));
    let drawn = drawn.as_array().unwrap();
    assert_eq!(drawn.len(), 52);
    let names: Vec<Option<&str>> = drawn.iter().map(|image| image["name"].as_str()).collect();
    let modes = [ColorMode::Gray, ColorMode::Rgb];
    let wanted: Vec<Pixels> =
        sizes.iter().flat_map(|(height, width)| modes.map(|mode| pixels(*height, *width, mode))).collect();
    let table = read(folder.path(), &names, &wanted).unwrap();
    for wanted in &wanted {
        let (ours, size) = (matrix(&table, wanted), format!("{}x{} {}", wanted.height, wanted.width, wanted.mode));
        for (image, ours) in drawn.iter().zip(ours) {
            let theirs = image["sizes"][&size].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            // At the size of the file nothing is computed that could be rounded.
            let most = if (wanted.height, wanted.width) == (15, 12) { 0.0 } else { 1e-10 };
            for (ours, theirs) in ours.iter().zip(theirs) {
                let theirs = theirs.as_f64().unwrap();
                assert!((ours - theirs).abs() <= most, "{} {size}: {ours}, not {theirs}", image["name"]);
            }
        }
    }
}

/// Writes a PNG file of these parts.
fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks {
        let mut sum = Crc::new();
        sum.update(*kind);
        sum.update(content);
        bytes.extend((content.len() as u32).to_be_bytes());
        bytes.extend(*kind);
        bytes.extend(content);
        bytes.extend(sum.sum().to_be_bytes());
    }
    bytes
}

fn header(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gray image of 2 × 2.
fn small() -> Vec<u8> {
    let rows = zlib(&[0, 1, 2, 0, 3, 4]);
    png(&[(b"IHDR", header(2, 2, [8, 0, 0, 0, 0])), (b"IDAT", rows), (b"IEND", vec![])])
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = [pixels(2, 2, ColorMode::Gray)];
    let judged = |bytes: &[u8]| {
        std::fs::write(folder.path().join("a.png"), bytes).unwrap();
        read(folder.path(), &[Some("a.png")], &wanted)
    };
    let whole = small();
    assert_eq!(matrix(&judged(&whole).unwrap(), &wanted[0]), [[1.0, 2.0, 3.0, 4.0]]);
    for at in 0..whole.len() {
        assert!(judged(&whole[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut other = whole.clone();
            other[at] ^= 1 << bit;
            assert!(judged(&other).is_err(), "bit {bit} of byte {at}");
        }
    }
    // What stands behind the end does not matter.
    assert!(judged(&[&whole[..], b"more"].concat()).is_ok());
}

#[test]
fn whatever_a_file_says_nothing_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = [pixels(3, 3, ColorMode::Rgb)];
    let mut accepted = 0;
    for round in 0..4000_u64 {
        let noise = |at: u64| Digest::of(&(round * 64 + at).to_le_bytes()).as_bytes()[0];
        let color = [0, 2, 3, 4, 6, 1][usize::from(noise(0)) % 6];
        let depth = [1, 2, 4, 8, 16, 3][usize::from(noise(1)) % 6];
        let (width, height) = (u32::from(noise(2) % 9), u32::from(noise(3) % 9));
        let rows: Vec<u8> = (0..u64::from(noise(4))).map(|at| noise(10 + at) % 6).collect();
        let palette = (0..u64::from(noise(5) % 40)).map(|at| noise(20 + at)).collect();
        let key = (0..u64::from(noise(6) % 9)).map(|at| noise(30 + at)).collect();
        let bytes = png(&[
            (b"IHDR", header(width, height, [depth, color, 0, 0, noise(7) % 2])),
            (b"PLTE", palette),
            (b"tRNS", key),
            (b"IDAT", zlib(&rows)),
            (b"IEND", vec![]),
        ]);
        std::fs::write(folder.path().join("a.png"), bytes).unwrap();
        match read(folder.path(), &[Some("a.png")], &wanted) {
            Ok(table) => {
                accepted += 1;
                assert!(matrix(&table, &wanted[0])[0].iter().all(|value| (0.0..=255.0).contains(value)));
            }
            Err(Error::Images { count: 1, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn all_bad_rows_are_told_at_once_and_an_empty_cell_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join("data").join(name);
    std::fs::create_dir_all(place("folder")).unwrap();
    std::fs::write(place("good.png"), small()).unwrap();
    std::fs::write(folder.path().join("outside.png"), small()).unwrap();
    std::fs::write(place("photo.jpg"), b"\xff\xd8\xff\xe0 a photo").unwrap();
    std::fs::write(place("text.png"), b"not an image").unwrap();
    std::fs::write(place("cut.png"), &small()[..40]).unwrap();
    let mut wrong = small();
    wrong[45] ^= 1;
    std::fs::write(place("wrong.png"), wrong).unwrap();
    let bomb = png(&[(b"IHDR", header(60_000, 60_000, [8, 6, 0, 0, 0])), (b"IDAT", zlib(&[0; 64])), (b"IEND", vec![])]);
    std::fs::write(place("bomb.png"), bomb).unwrap();
    let wanted = [pixels(2, 2, ColorMode::Gray)];
    let good = read(&place(""), &[Some("good.png"), None, Some(" "), Some("folder/../good.png")], &wanted).unwrap();
    let first = good.column(1);
    assert_eq!([0, 1, 2, 3].map(|row| first.is_valid(row)), [true, false, false, true]);
    assert_eq!(matrix(&good, &wanted[0])[3], [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(without_pixels(&good, &wanted).num_columns(), 1);
    let absolute = place("good.png");
    let causes = [
        ("absent.png", "is not there"),
        ("folder", "is a folder"),
        ("../outside.png", "lies outside of the folder"),
        (absolute.to_str().unwrap(), "lies outside of the folder"),
        ("photo.jpg", "is a JPEG file; save it as PNG"),
        ("text.png", "is no PNG file"),
        ("cut.png", "is cut off"),
        ("wrong.png", "is damaged: the checksum of its part IDAT is wrong"),
        ("bomb.png", "has 60000 × 60000 pixels, more than 67108864; make it smaller"),
    ];
    for (path, cause) in causes {
        match read(&place(""), &[Some("good.png"), Some(path)], &wanted) {
            Err(Error::Images { count: 1, bad, .. }) => {
                assert_eq!((bad[0].row, bad[0].path.as_str(), bad[0].cause.as_str()), (2, path, cause));
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    let all: Vec<Option<&str>> = causes.iter().map(|(path, _)| Some(*path)).collect();
    let error = read(&place(""), &all, &wanted).unwrap_err();
    let told = error.diagnostic();
    assert_eq!(told.title, "9 rows of labels.csv have images that can't be used");
    assert_eq!((told.notes.len(), told.notes[5].as_str()), (6, "and 4 more"));
}

#[test]
fn a_column_of_a_pixels_name_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let taken: LargeStringArray = [Some("x")].into_iter().collect();
    let paths: LargeStringArray = [None::<&str>].into_iter().collect();
    let table = RecordBatch::try_from_iter_with_nullable([
        ("file", Arc::new(paths) as ArrayRef, true),
        ("file_2x2_1_0", Arc::new(taken) as ArrayRef, true),
    ]);
    let read =
        with_pixels(&DiskIo, folder.path(), &table.unwrap(), "t.csv", &[pixels(2, 2, ColorMode::Gray)], &|_, _| true);
    assert!(matches!(read, Err(Error::PixelColumn { name, .. }) if name == "file_2x2_1_0"));
}

#[test]
fn who_watches_is_told_how_far_it_is_and_may_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), small()).unwrap();
    let rows = table(&[Some("a.png"); 100]);
    let wanted = [pixels(2, 2, ColorMode::Gray)];
    let read = |watch: &(dyn Fn(u64, u64) -> bool + Sync)| {
        with_pixels(&DiskIo, folder.path(), &rows, "t", &wanted, watch).unwrap()
    };
    let told = Mutex::new(Vec::new());
    let whole = read(&|done, of| {
        told.lock().unwrap().push(done);
        of == 100
    });
    assert_eq!(whole.unwrap().images, 100);
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert!(told.into_iter().eq(1..=100));
    assert!(read(&|done, _| done < 7).is_none());
}

#[test]
fn images_are_known_by_paths_and_bytes_whatever_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let wanted = [pixels(2, 2, ColorMode::Gray)];
    let of = |paths: &[Option<&str>]| digest(&DiskIo, folder.path(), &table(paths), &wanted, &FileDigests::default());
    write("a.png", &small());
    write("b.png", &small());
    let both = of(&[Some("a.png"), Some("b.png")]);
    let rows = table(&[Some("b.png"), Some("a.png")]);
    let read = with_pixels(&DiskIo, folder.path(), &rows, "t", &wanted, &|_, _| true).unwrap().unwrap();
    assert_eq!((read.digest, read.images), (both, 2), "what is asked ahead is what is read");
    assert_eq!(of(&[Some("b.png"), None, Some("a.png"), Some("b.png")]), both);
    assert_ne!(of(&[Some("a.png")]), both);
    write("b.png", &[&small()[..], b"!"].concat());
    let changed = of(&[Some("a.png"), Some("b.png")]);
    assert_ne!(changed, both);
    std::fs::remove_file(folder.path().join("b.png")).unwrap();
    assert!(![both, changed].contains(&of(&[Some("a.png"), Some("b.png")])));
}

#[test]
fn a_large_image_is_read_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    // 64 million pixels of 4 samples of 16 bits.
    let side = 8192;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    let row = vec![0; 1 + side * 8];
    (0..side).for_each(|_| std::io::Write::write_all(&mut encoder, &row).unwrap());
    let data = encoder.finish().unwrap();
    let whole = png(&[(b"IHDR", header(8192, 8192, [16, 6, 0, 0, 0])), (b"IDAT", data), (b"IEND", vec![])]);
    std::fs::write(folder.path().join("large.png"), whole).unwrap();
    let wanted = [pixels(4, 4, ColorMode::Rgb)];
    let peak = peak_memory("images::a_large_image_is_read_row_by_row", "large", || {
        let table = read(folder.path(), &[Some("large.png")], &wanted).unwrap();
        // Nothing covers the white.
        assert_eq!(matrix(&table, &wanted[0])[0], [255.0; 48]);
    });
    assert!(peak < 64 << 20, "{peak} bytes for an image of 512 MiB");
}

#[test]
fn drawn_digits_are_the_same_bytes_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, rows: u64, side: u16, threads: usize| {
        let (path, pool) = (folder.path().join(name), ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        let labels = pool.install(|| digit_images(&DiskIo, &path, rows, 42, side)).unwrap();
        assert_eq!(std::fs::read(path.join("labels.csv")).unwrap(), to_csv(&labels));
        let files = std::fs::read_dir(path.join("images")).unwrap().map(|entry| entry.unwrap().path());
        let bytes = |path: std::path::PathBuf| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap());
        (files.map(bytes).collect::<BTreeMap<_, _>>(), labels)
    };
    let (few, labels) = draw("few", 30, 8, 1);
    let (many, _) = draw("many", 90, 8, 3);
    assert_eq!((few.len(), many.len()), (30, 90));
    assert!(few.iter().all(|(name, bytes)| many[name] == *bytes), "a longer table begins with the shorter one");
    let all: Vec<u8> = few.values().flatten().copied().chain(to_csv(&labels)).collect();
    assert_eq!(Digest::of(&all).to_string(), "45a4d93fb14766a9f8ca1c808316537d7127e432f3a84c105eb169fc24bc7e37");
    // The same digits as in the table of pixels.
    let drawn = digits(30, 42);
    assert_eq!(drawn.column_by_name("digit").unwrap(), labels.column_by_name("digit").unwrap());
    let Some(judge) = trainyard_judges::python("images") else { return };
    let (large, labels) = draw("large", 12, 70, 2);
    let looked = judge.run(
        "import numpy as np\nfrom PIL import Image\n\
         answer = [np.asarray(Image.open(path)) for path in data]\n\
         assert all(Image.open(path).mode == 'L' for path in data)",
        &large.keys().map(|name| json!(folder.path().join("large/images").join(name))).collect(),
    );
    let wanted = Pixels { column: "path".to_owned(), height: 70, width: 70, mode: ColorMode::Gray };
    let (images, all) = (folder.path().join("large"), std::slice::from_ref(&wanted));
    let read = with_pixels(&DiskIo, &images, &labels, "labels.csv", all, &|_, _| true).unwrap().unwrap();
    for (ours, theirs) in matrix(&read.table, &wanted).iter().zip(looked.as_array().unwrap()) {
        let theirs = theirs.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).map(Value::as_f64);
        assert_eq!(ours.iter().copied().map(Some).collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
    }
}
