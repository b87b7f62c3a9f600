//! Stores, with what the environment says of them.

use std::pin::Pin;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use trainyard_spec::{ObjectAddress, Store};

use crate::failure;

/// The longest that a whole download may take: what hangs is told by silence, not by this.
const LONGEST: &str = "30days";

/// How long a server may take to accept a connection.
const PATIENCE: &str = "10s";

/// A store that can be asked, and the name of what the address names.
#[derive(Debug)]
pub struct Connection {
    /// The store.
    pub store: Box<dyn ObjectStore>,
    /// The name; empty for the web, whose store begins at the address.
    pub location: Path,
}

/// Says why a store can't be asked.
#[derive(Debug)]
pub enum Unusable {
    /// What the environment or its settings say of it makes none.
    Settings {
        /// What is wrong.
        cause: String,
    },
    /// Nobody is known who could ask.
    Nobody {
        /// Where it was looked for.
        cause: String,
    },
}

/// Prepares to ask a store; finds out who asks. What is `given` stands above the environment: pairs of a key and a
/// value, as `object_store` names them; the web takes none.
///
/// # Errors
/// What the environment says is wrong or not enough.
pub async fn connect(address: &ObjectAddress, given: &[(&str, String)]) -> Result<Connection, Unusable> {
    // There is one provider in this build; a second call finds it set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let location = match address.store {
        // A web address is taken as it stands.
        Store::Web => Path::default(),
        _ => Path::parse(&address.name).map_err(|error| wrong(error.into()))?,
    };
    let nobody = |error: object_store::Error| Unusable::Nobody { cause: failure::cause(&error) };
    let store: Box<dyn ObjectStore> = match address.store {
        Store::S3 => {
            let mut builder = AmazonS3Builder::from_env();
            for (key, value) in given {
                builder = builder.with_config(key.parse::<AmazonS3ConfigKey>().map_err(wrong)?, value);
            }
            let value = |key| builder.get_config_value(&key);
            let unsigned = is_true(value(AmazonS3ConfigKey::SkipSignature));
            let plain = is_plain(value(AmazonS3ConfigKey::Endpoint));
            let builder = builder
                .with_bucket_name(&address.bucket)
                .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), LONGEST)
                .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), PATIENCE)
                .with_allow_http(plain)
                .with_retry(once())
                .with_http_connector(Telling);
            let store = builder.build().map_err(wrong)?;
            if !unsigned {
                store.credentials().get_credential().await.map_err(nobody)?;
            }
            Box::new(store)
        }
        Store::Google => {
            let mut builder = GoogleCloudStorageBuilder::from_env();
            for (key, value) in given {
                builder = builder.with_config(key.parse::<GoogleConfigKey>().map_err(wrong)?, value);
            }
            let unsigned = is_true(builder.get_config_value(&GoogleConfigKey::SkipSignature));
            let builder = builder
                .with_bucket_name(&address.bucket)
                .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), LONGEST)
                .with_config(GoogleConfigKey::Client(ClientConfigKey::ConnectTimeout), PATIENCE)
                .with_retry(once())
                .with_http_connector(Telling);
            let store = builder.build().map_err(wrong)?;
            if !unsigned {
                store.credentials().get_credential().await.map_err(nobody)?;
            }
            Box::new(store)
        }
        Store::Azure => {
            let mut builder = MicrosoftAzureBuilder::from_env();
            for (key, value) in given {
                builder = builder.with_config(key.parse::<AzureConfigKey>().map_err(wrong)?, value);
            }
            let value = |key| builder.get_config_value(&key);
            let unsigned = is_true(value(AzureConfigKey::SkipSignature));
            let plain = is_plain(value(AzureConfigKey::Endpoint)) || is_true(value(AzureConfigKey::UseEmulator));
            let mut builder = builder
                .with_container_name(&address.bucket)
                .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), LONGEST)
                .with_config(AzureConfigKey::Client(ClientConfigKey::ConnectTimeout), PATIENCE)
                .with_allow_http(plain)
                .with_retry(once())
                .with_http_connector(Telling);
            if let Some(account) = &address.account {
                builder = builder.with_account(account);
            }
            let store = builder.build().map_err(wrong)?;
            if !unsigned {
                store.credentials().get_credential().await.map_err(nobody)?;
            }
            Box::new(store)
        }
        Store::Web => {
            let url = format!("{}/{}", address.bucket, address.name);
            let builder = HttpBuilder::new()
                .with_config(ClientConfigKey::Timeout, LONGEST)
                .with_config(ClientConfigKey::ConnectTimeout, PATIENCE)
                .with_config(ClientConfigKey::AllowHttp, is_plain(Some(url.clone())).to_string())
                .with_retry(once())
                .with_http_connector(Telling);
            Box::new(builder.with_url(url).build().map_err(wrong)?)
        }
    };
    Ok(Connection { store, location })
}

fn wrong(error: object_store::Error) -> Unusable {
    Unusable::Settings { cause: failure::cause(&error) }
}

/// Asks for one try: trying again is ours, which knows what was already read.
fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn is_plain(url: Option<String>) -> bool {
    url.is_some_and(|url| url.starts_with("http://"))
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| ["true", "1", "yes", "on", "y"].contains(&value.to_ascii_lowercase().as_str()))
}

/// Makes connections whose errors say why there is none: the store's own keep that to themselves.
#[derive(Debug)]
struct Telling;

impl HttpConnector for Telling {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Told(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Told(HttpClient);

impl HttpService for Told {
    fn call<'life, 'asked>(
        &'life self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'asked>>
    where
        'life: 'asked,
        Self: 'asked,
    {
        Box::pin(async move {
            let answer = self.0.execute(request).await;
            answer.map_err(|error| HttpError::new(error.kind(), std::io::Error::other(failure::innermost(&error))))
        })
    }
}
