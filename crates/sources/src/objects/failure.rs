//! What an error of a store means for a source.

use object_store::Error as Failure;
use trainyard_spec::{ObjectAddress, Store};
use trainyard_stores::{Fault, Unusable, fault};

use crate::Error;
use crate::attempt::Stop;

/// Says why a store can't be asked.
pub(super) fn unusable(address: &ObjectAddress, why: Unusable) -> Error {
    let store = address.store;
    match why {
        Unusable::Settings { cause } => Error::Settings { store, cause },
        Unusable::Nobody { cause } => Error::NoCredentials { store, cause },
    }
}

/// Says whether another try may help, and else what is wrong. What is not there is for the caller to say, who knows where
/// to look for other names.
pub(super) fn stop(address: &ObjectAddress, shown: &str, error: &Failure) -> Stop {
    let (fault, cause) = fault(error);
    let (store, shown) = (address.store, shown.to_owned());
    let refused = |cause: String, help: &str| Error::Refused { address: shown.clone(), cause, help: help.to_owned() };
    match fault {
        Fault::Absent => Error::NoObject { address: shown, store, pattern: false, near: Vec::new() }.into(),
        Fault::Denied => Error::Denied { address: shown, store, cause }.into(),
        Fault::OtherRegion => {
            let help = "name the region of the bucket in the variable AWS_REGION";
            refused("it is in another region".to_owned(), help).into()
        }
        Fault::NoLength => {
            let help = "fetch the file by other means, and name the copy";
            refused("the server does not say how long it is".to_owned(), help).into()
        }
        Fault::Refused if store == Store::Web => refused(cause, "mend the address in `data.source`").into(),
        Fault::Refused => refused(cause, "ask who runs the store").into(),
        Fault::Passing => Stop::Lost(cause),
    }
}
