//! What an error of a store means.

use object_store::Error as Failure;

/// The most letters of what a server says that a message repeats.
const LONGEST: usize = 300;

/// Gives the innermost of an error's causes, which says most.
pub fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Tells the failures of a store apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What is asked for is not there.
    Absent,
    /// Who asks may not.
    Denied,
    /// The bucket is in another region.
    OtherRegion,
    /// The server does not say how long an object is.
    NoLength,
    /// The store says no for another reason.
    Refused,
    /// The connection broke, or the server is busy: another try may go well.
    Passing,
}

/// Says what a failure is, and in a line why, without the address and the time that it took.
pub fn fault(error: &Failure) -> (Fault, String) {
    let cause = cause(error);
    let fault = match error {
        _ if is_absent(error) => Fault::Absent,
        Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => Fault::Denied,
        // What listing refuses comes without a kind.
        _ if [Some(401), Some(403)].contains(&status(&cause)) => Fault::Denied,
        _ if cause.contains("redirect without LOCATION") => Fault::OtherRegion,
        _ if cause.contains("Content-Length Header missing") => Fault::NoLength,
        Failure::NotImplemented { .. } | Failure::NotSupported { .. } => Fault::Refused,
        _ => match status(&cause) {
            // That it is asked too often, or too slowly, passes.
            Some(status) if (300..500).contains(&status) && ![408, 425, 429].contains(&status) => Fault::Refused,
            _ => Fault::Passing,
        },
    };
    (fault, cause)
}

/// Says whether what is asked for is not there.
pub fn is_absent(error: &Failure) -> bool {
    matches!(error, Failure::NotFound { .. }) || status(&cause(error)) == Some(404)
}

/// Finds the number that an answer begins with: `503 Service Unavailable: …`.
pub fn status(cause: &str) -> Option<u16> {
    cause.split(' ').next()?.parse().ok().filter(|status| (100..600).contains(status))
}

/// Says in a line why a store gave nothing, without its address and the time that it took.
pub(crate) fn cause(error: &Failure) -> String {
    let text = match error {
        Failure::Generic { source, .. }
        | Failure::NotFound { source, .. }
        | Failure::Precondition { source, .. }
        | Failure::PermissionDenied { source, .. }
        | Failure::Unauthenticated { source, .. }
        | Failure::NotSupported { source, .. } => innermost(&**source),
        other => other.to_string(),
    };
    let text = match text.split_once("Error performing ").and_then(|(_, rest)| rest.split_once(" - ")) {
        Some((_, cause)) => cause,
        None => &text,
    };
    let text = text.split_once("non-2xx status code: ").map_or(text, |(_, status)| status);
    let text = text.strip_prefix("HTTP error: ").unwrap_or(text);
    let told = match (text.split_once(": "), element(text, "Code"), element(text, "Message")) {
        (Some((status, _)), Some(code), Some(message)) => format!("{status}: {code}: {message}"),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let told = told.trim_end_matches([':', ' ']);
    match told.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &told[..end]),
        None => told.to_owned(),
    }
}

/// Gives what stands in an element of the XML that stores answer in.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

#[cfg(test)]
mod tests {
    use super::{Failure, cause, status};

    #[test]
    fn a_cause_is_what_the_server_said() {
        let told = |text: &str| cause(&Failure::Generic { store: "S3", source: text.into() });
        let xml = "Error performing GET http://h/b?X-Amz-Signature=1 in 3.1ms, after 2 retries - Server returned \
                   non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>\
                   <Message>No way</Message></Error>";
        assert_eq!(told(xml), "403 Forbidden: AccessDenied: No way");
        assert_eq!(status(&told(xml)), Some(403));
        let empty = "Error performing HEAD http://h/b in 3.1ms - Server returned non-2xx status code: 500 Oh no: ";
        assert_eq!(told(empty), "500 Oh no");
        let lost = "Error performing HEAD http://h/b in 1s - HTTP error: Connection refused (os error 111)";
        assert_eq!(told(lost), "Connection refused (os error 111)");
        assert_eq!(status(&told(lost)), None);
        assert_eq!(told(&"é".repeat(400)).chars().count(), 301);
    }
}
