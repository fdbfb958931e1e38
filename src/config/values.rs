//! Values that every config file may give, each with an error that says what to write instead.

use serde::de::{Deserialize, Deserializer, Error};

/// `https://host:port`.
pub(super) fn https<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let text = String::deserialize(input)?;
    let uri = text.parse::<tonic::transport::Uri>().ok();
    let good = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("https") && uri.port().is_some() && matches!(uri.path(), "" | "/")
    });
    if !good {
        let message = format!(
            r#"{text:?} is not the address of a distributor; write it like "https://10.9.0.10:7400""#
        );
        return Err(Error::custom(message));
    }
    Ok(text)
}
