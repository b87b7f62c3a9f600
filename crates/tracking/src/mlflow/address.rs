//! The way to a server: its address, who asks, and whom to trust, as MLflow's own variables say it.

use std::time::Duration;
use std::{fmt, fs};

use percent_encoding::percent_decode_str;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Identity, RequestBuilder, Url};

use super::error::ServerError;

/// The server closes a connection that nobody used for five seconds: ours are closed before.
const IDLE: Duration = Duration::from_secs(4);
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to answer, where MLFLOW_HTTP_REQUEST_TIMEOUT does not say.
const ANSWER: Duration = Duration::from_secs(120);

/// Is the way to a server.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The address without a slash at its end, and without who asks: fit to be shown and stored.
    pub(crate) shown: String,
    url: Url,
    /// Who asks, where the address says it.
    user: Who,
}

impl Address {
    /// Reads the address of the configuration.
    pub(crate) fn parse(uri: &str) -> Result<Self, ServerError> {
        let wrong = |cause: String| ServerError::Settings { server: "of tracking.uri".to_owned(), cause };
        let mut url = Url::parse(uri).map_err(|error| wrong(error.to_string()))?;
        let decoded = |text: &str| String::from_utf8_lossy(&percent_decode_str(text).collect::<Vec<u8>>()).into_owned();
        let user = match url.username() {
            "" => Who::Anybody,
            name => Who::User(decoded(name), decoded(url.password().unwrap_or_default())),
        };
        // Neither fails for a web address.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        let shown = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { shown, url, user })
    }

    /// Says whether the server is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
    }

    /// Gives the address of a route, whose parts are taken as they stand.
    pub(crate) fn route(&self, parts: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Makes a client of what the environment says, variable by variable.
    ///
    /// With `hurries` a server may be silent only for a while.
    pub(crate) fn client(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        hurries: bool,
    ) -> Result<Client, ServerError> {
        let wrong = |cause: String| ServerError::Settings { server: self.shown.clone(), cause };
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        // There is one provider in this build; a second call finds it set.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder: ClientBuilder = Client::builder()
            .pool_idle_timeout(IDLE)
            // What is asked elsewhere is asked in another way.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("trainyard/", env!("CARGO_PKG_VERSION")));
        let timeout = match given("MLFLOW_HTTP_REQUEST_TIMEOUT") {
            Some(text) => match text.parse() {
                Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
                _ => return Err(wrong(format!("MLFLOW_HTTP_REQUEST_TIMEOUT is `{text}`, and no count of seconds"))),
            },
            None => ANSWER,
        };
        if hurries {
            builder = builder.read_timeout(timeout);
        }
        let read = |name: &str, path: &str| fs::read(path).map_err(|error| wrong(format!("{name}: {path}: {error}")));
        let trusts_all = given("MLFLOW_TRACKING_INSECURE_TLS").is_some_and(|value| is_true(&value));
        // So does MLflow's client, in this order.
        let authorities = ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"];
        let authority = authorities.into_iter().find_map(|name| Some((name, given(name)?)));
        match (trusts_all, authority) {
            (true, Some(("MLFLOW_TRACKING_SERVER_CERT_PATH", _))) => {
                let both = "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set";
                return Err(wrong(both.to_owned()));
            }
            (true, _) => builder = builder.tls_danger_accept_invalid_certs(true),
            (false, Some((name, path))) => {
                let known = Certificate::from_pem_bundle(&read(name, &path)?);
                let known = known.map_err(|error| wrong(format!("{name}: {path}: {error}")))?;
                if known.is_empty() {
                    return Err(wrong(format!("{name}: {path} holds no certificate")));
                }
                builder = builder.tls_certs_only(known);
            }
            (false, None) => {}
        }
        if let Some(path) = given("MLFLOW_TRACKING_CLIENT_CERT_PATH") {
            let name = "MLFLOW_TRACKING_CLIENT_CERT_PATH";
            let identity = Identity::from_pem(&read(name, &path)?);
            builder = builder.identity(identity.map_err(|error| wrong(format!("{name}: {path}: {error}")))?);
        }
        builder.build().map_err(|error| wrong(innermost(&error)))
    }

    /// Says who asks, as MLflow's own client chooses: a user before a token.
    pub(crate) fn who(&self, variable: &dyn Fn(&str) -> Option<String>) -> Who {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let password = || given("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
        match (given("MLFLOW_TRACKING_USERNAME"), &self.user, given("MLFLOW_TRACKING_TOKEN")) {
            (Some(user), _, _) => Who::User(user, password()),
            (None, Who::Anybody, Some(token)) => Who::Token(token),
            (None, user, _) => user.clone(),
        }
    }
}

/// Is who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Who {
    Anybody,
    User(String, String),
    Token(String),
}

impl Who {
    /// Says so in a request.
    pub(crate) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Anybody => request,
            Self::User(user, password) => request.basic_auth(user, Some(password)),
            Self::Token(token) => request.bearer_auth(token),
        }
    }
}

impl fmt::Debug for Who {
    /// Says no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anybody => "Anybody",
            Self::User(..) => "User",
            Self::Token(_) => "Token",
        })
    }
}

/// Reads what MLflow takes for yes.
fn is_true(value: &str) -> bool {
    ["true", "1"].contains(&value.to_ascii_lowercase().as_str())
}

/// Gives the innermost of an error's causes, which says most.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    trainyard_stores::innermost(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_taken_out_of_the_address() {
        let address = Address::parse("http://ada:p%40ss@host:5000/team/").unwrap();
        assert_eq!(address.shown, "http://host:5000/team");
        assert_eq!(address.user, Who::User("ada".to_owned(), "p@ss".to_owned()));
        let url = address.route(&["api", "2.0", "a b/c"], &[("q", "x&y")]);
        assert_eq!(url.as_str(), "http://host:5000/team/api/2.0/a%20b%2Fc?q=x%26y");
    }

    #[test]
    fn the_environment_says_who_asks() {
        let address = Address::parse("http://ada:secret@host").unwrap();
        let who = |pairs: &[(&str, &str)]| {
            let given = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            address.who(&given)
        };
        assert_eq!(who(&[]), Who::User("ada".to_owned(), "secret".to_owned()));
        let user = [("MLFLOW_TRACKING_USERNAME", "bob"), ("MLFLOW_TRACKING_PASSWORD", "x")];
        assert_eq!(who(&user), Who::User("bob".to_owned(), "x".to_owned()));
        let nobody = Address::parse("http://host").unwrap();
        let token = |name: &str| (name == "MLFLOW_TRACKING_TOKEN").then(|| "t".to_owned());
        assert_eq!(nobody.who(&token), Who::Token("t".to_owned()));
        let broken = nobody.client(&|name| (name == "MLFLOW_HTTP_REQUEST_TIMEOUT").then(|| "soon".to_owned()), true);
        assert!(matches!(broken, Err(ServerError::Settings { .. })));
        assert_eq!(format!("{:?}", who(&user)), "User");
    }
}
