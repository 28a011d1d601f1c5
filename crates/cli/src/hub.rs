//! Files of weights that are named by a hub's repository.

use crate::output::Talk;
use anyhow::Result;
use std::borrow::Cow;
use std::path::Path;

/// The file that `path` names: itself, or one of a hub, which is fetched where needed.
///
/// # Errors
/// When the name is malformed or the file cannot be had.
#[cfg(feature = "hub")]
pub(crate) fn resolve(path: &Path, talk: Talk) -> Result<Cow<'_, Path>> {
    use inception_deploy::DeployError;
    use inception_deploy::hub::{HubConfig, HubFile, HubProgress, fetch};

    let Some(file) = HubFile::parse(path).map_err(DeployError::from)? else {
        return Ok(Cow::Borrowed(path));
    };
    let config = HubConfig::from_env(|name| std::env::var_os(name)).map_err(DeployError::from)?;
    let mut said = false;
    let fetched = fetch(&file, &config, &mut |progress: HubProgress<'_>| {
        if !std::mem::replace(&mut said, true) {
            let size = progress.total.map(crate::numbers::bytes);
            let size = size.map_or(String::new(), |size| format!(", {size}"));
            talk.say(&format!("fetching {file} ({}{size})", progress.file));
        }
    })
    .map_err(DeployError::from)?;
    if let Some(warning) = fetched.warning {
        talk.warn(&warning);
    }
    Ok(Cow::Owned(fetched.path))
}

/// The file that `path` names; this program was built without hubs.
///
/// # Errors
/// When the name is one of a hub.
#[cfg(not(feature = "hub"))]
pub(crate) fn resolve(path: &Path, _talk: Talk) -> Result<Cow<'_, Path>> {
    if path.to_str().is_some_and(|text| text.starts_with("hf:")) {
        return Err(crate::exit::usage(
            "this program was built without the feature `hub`: download the file and name it",
        ));
    }
    Ok(Cow::Borrowed(path))
}
