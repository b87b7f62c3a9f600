//! What an error of a store means.

use object_store::Error as Failure;
use trainyard_spec::{ObjectAddress, Store};

use crate::Error;
use crate::attempt::Stop;

/// The most letters of what a server says that a message repeats.
const LONGEST: usize = 300;

/// Gives the innermost of an error's causes, which says most.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Says that what the environment says of a store makes none.
pub(super) fn settings(address: &ObjectAddress, error: &Failure) -> Error {
    Error::Settings { store: address.store, cause: cause(error) }
}

/// Says that nobody is known who could ask.
pub(super) fn nobody(address: &ObjectAddress, error: &Failure) -> Error {
    Error::NoCredentials { store: address.store, cause: cause(error) }
}

/// Says whether another try may help, and else what is wrong. What is not there is for the caller to say, who knows where
/// to look for other names.
pub(super) fn stop(address: &ObjectAddress, shown: &str, error: &Failure) -> Stop {
    let cause = cause(error);
    let address_of = || shown.to_owned();
    match error {
        _ if is_absent(error) => {
            Error::NoObject { address: address_of(), store: address.store, pattern: false, near: Vec::new() }.into()
        }
        Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => {
            Error::Denied { address: address_of(), store: address.store, cause }.into()
        }
        // What listing refuses comes without a kind.
        _ if [Some(401), Some(403)].contains(&status(&cause)) => {
            Error::Denied { address: address_of(), store: address.store, cause }.into()
        }
        _ if cause.contains("redirect without LOCATION") => {
            let help = "name the region of the bucket in the variable AWS_REGION".to_owned();
            let cause = "it is in another region".to_owned();
            Error::Refused { address: address_of(), cause, help }.into()
        }
        _ if cause.contains("Content-Length Header missing") => {
            let cause = "the server does not say how long it is".to_owned();
            let help = "fetch the file by other means, and name the copy".to_owned();
            Error::Refused { address: address_of(), cause, help }.into()
        }
        _ => match status(&cause) {
            // That it is asked too often, or too slowly, passes.
            Some(status) if (300..500).contains(&status) && ![408, 425, 429].contains(&status) => {
                let help = match address.store {
                    Store::Web => "mend the address in `data.source`",
                    _ => "ask who runs the store",
                };
                Error::Refused { address: address_of(), cause, help: help.to_owned() }.into()
            }
            _ => Stop::Lost(cause),
        },
    }
}

/// Says whether what is asked for is not there.
pub(super) fn is_absent(error: &Failure) -> bool {
    matches!(error, Failure::NotFound { .. }) || status(&cause(error)) == Some(404)
}

/// Finds the number that an answer begins with: `503 Service Unavailable: …`.
fn status(cause: &str) -> Option<u16> {
    cause.split(' ').next()?.parse().ok().filter(|status| (100..600).contains(status))
}

/// Says in a line why a store gave nothing, without its address and the time that it took.
fn cause(error: &Failure) -> String {
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
        let xml = "Error performing GET http://h/b?X-Amz-Signature=1 in 3.1ms, after 2 retries - Server returned non-2xx \
                   status code: 403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>No \
                   way</Message></Error>";
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
