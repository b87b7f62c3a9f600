//! Exhausted memory: what is said then. Rust itself would write one bare line and abort.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use signal_hook::low_level::exit;
use trainyard_diagnostics::{Diagnostic, Fault};

use crate::printer::Printer;
use crate::stop::WayOut;

/// What is said when the memory is exhausted, ready to be written, since nothing can be drawn then.
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());
/// Whether they go to stdout, as a document.
static AS_DOCUMENT: AtomicBool = AtomicBool::new(false);

/// Prepares what is said when the memory is exhausted from now on, while `steps` are at work.
pub(crate) fn prepare(printer: Printer, steps: &[String], way: Option<WayOut>) {
    let at_work = match steps {
        [] => String::new(),
        [step] => format!(" in step {step}"),
        several => format!(" in one of the steps {}", several.join(", ")),
    };
    let problem = Diagnostic::error("memory/exhausted", format!("the memory is exhausted{at_work}"))
        .note("the system, or a limit that is set for this process, gives no more of it")
        .help("give the process more memory, or end other programs, and go on");
    let state = way.map_or_else(String::new, |way| format!("{} {}: {}", way.kept, way.verb, way.command));
    // Moving lines are left where they stand.
    let start = if printer.live { "\n" } else { "" };
    let words = format!("{start}{}", printer.drawn(&[problem], &state));
    AS_DOCUMENT.store(printer.json, Ordering::Relaxed);
    if let Ok(mut last) = LAST_WORDS.lock() {
        *last = words;
    }
}

/// Is the system's allocator, but for what happens when it has nothing to give.
struct Telling;

#[global_allocator]
static ALLOCATOR: Telling = Telling;

#[expect(unsafe_code, reason = "only the allocator learns that the memory is exhausted before the process is ended")]
// SAFETY: each call is the system allocator's own, with the same arguments and the same result; where there is none, it
// does not return. Nothing here allocates or unwinds.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the system's allocator wants.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; the block came from the same allocator.
        given(unsafe { System.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

fn given(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        end()
    }
    block
}

/// Says the last words and ends the process at once: whatever is at work publishes its results atomically.
#[cold]
fn end() -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    while ENDING.swap(true, Ordering::Relaxed) {
        // Another thread is saying it, and ends the process.
        sleep(Duration::from_secs(1));
    }
    let words = LAST_WORDS.try_lock();
    let words = words.as_ref().map_or("error[memory/exhausted]: the memory is exhausted\n", |words| words.as_str());
    // The locks of stdout and stderr may be held by whoever asked for the memory.
    let _ = if AS_DOCUMENT.load(Ordering::Relaxed) {
        write(io::stdout().as_fd(), words.as_bytes())
    } else {
        write(io::stderr().as_fd(), words.as_bytes())
    };
    exit(i32::from(Fault::User.exit_code()))
}

fn write(to: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(to, bytes))?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}
