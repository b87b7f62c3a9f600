//! DVC's settings: `.dvc/config` and the files that it stands above or below.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trainyard_diagnostics::{Place, Source};

use crate::Error;

/// Names the ways in which a file of the workspace may come out of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The file shares its blocks with the object until one is written.
    Reflink,
    /// The file is the object, under a second name.
    Hardlink,
    /// The file is a link to the object.
    Symlink,
    /// The file is a copy.
    Copy,
}

/// Holds what DVC's settings say, as far as this crate asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `core.no_scm`: no Git, even where there is one.
    pub no_scm: bool,
    /// `core.autostage`: what is written goes to Git's index.
    pub autostage: bool,
    /// `core.remote`: the remote that is meant where none is named.
    pub remote: Option<String>,
    /// `cache.dir`, absolute.
    pub cache: Option<PathBuf>,
    /// `cache.type`: what is tried, in this order.
    pub links: Vec<Link>,
    /// `cache.shared`: the cache's folders may be written by the group.
    pub is_shared: bool,
    /// The settings of each remote; a local `url` is absolute.
    pub remotes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            no_scm: false,
            autostage: false,
            remote: None,
            cache: None,
            links: vec![Link::Reflink, Link::Copy],
            is_shared: false,
            remotes: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Takes what a file says over what was said before; `path` is where it lies, `shown` how
    /// messages name it, `home` the user's folder.
    pub(crate) fn read(&mut self, path: &Path, shown: String, text: &str, home: Option<&Path>) -> Result<(), Error> {
        let source = Source::new(shown, text);
        let mut section = String::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let place = start + line.len() - line.trim_start().len()..start + line.trim_end().len();
            start += line.len();
            let wrong =
                |why: &str| Error::Config { place: Place::new(source.clone(), place.clone()), why: why.to_owned() };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let inside = rest.rsplit_once(']').ok_or_else(|| wrong("a section ends with `]`"))?.0;
                section = unquoted(inside.trim()).to_owned();
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| wrong("expected KEY = VALUE"))?;
            let (key, value) = (unquoted(key.trim()).to_lowercase(), unquoted(uncommented(value.trim())));
            let folder = path.parent().unwrap_or_else(|| Path::new("."));
            self.set(&section, &key, value, &|path| resolved(folder, path, home)).map_err(|why| wrong(&why))?;
        }
        Ok(())
    }

    fn set(&mut self, section: &str, key: &str, value: &str, place: &dyn Fn(&str) -> String) -> Result<(), String> {
        let lower = section.to_lowercase();
        match (lower.as_str(), key) {
            ("core", "no_scm") => self.no_scm = truth(value)?,
            ("core", "autostage") => self.autostage = truth(value)?,
            ("core", "remote") => self.remote = Some(value.to_lowercase()),
            ("core", "hardlink_lock") if truth(value)? => {
                return Err("locks by hard links are not known here; DVC's usual ones are".to_owned());
            }
            ("cache", "dir") => self.cache = Some(PathBuf::from(place(value))),
            ("cache", "type") => self.links = links(value)?,
            ("cache", "shared") => self.is_shared = value.eq_ignore_ascii_case("group"),
            _ => {
                if let Some(name) = lower.strip_prefix("remote ") {
                    let value = if key == "url" { place(value) } else { value.to_owned() };
                    let name = unquoted(name.trim()).to_owned();
                    self.remotes.entry(name).or_default().insert(key.to_owned(), value);
                }
            }
        }
        Ok(())
    }
}

fn links(value: &str) -> Result<Vec<Link>, String> {
    let one = |name: &str| match name.trim().to_lowercase().as_str() {
        "reflink" => Ok(Link::Reflink),
        "hardlink" => Ok(Link::Hardlink),
        "symlink" => Ok(Link::Symlink),
        "copy" => Ok(Link::Copy),
        other => Err(format!("`{other}` is none of reflink, hardlink, symlink, copy")),
    };
    value.split(',').map(one).collect()
}

fn truth(value: &str) -> Result<bool, String> {
    match value.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" | "enable" => Ok(true),
        "false" | "no" | "off" | "0" | "f" | "n" | "disable" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('\'').or_else(|| inside('"')).unwrap_or(text)
}

/// Takes a comment off the end of a value.
fn uncommented(value: &str) -> &str {
    for quote in ['\'', '"'] {
        if let Some(end) = value.strip_prefix(quote).and_then(|rest| rest.find(quote)) {
            return &value[..end + 2];
        }
    }
    value.find(" #").map_or(value, |at| value[..at].trim_end())
}

/// Makes a path of the settings absolute: it starts from the folder of its file, or from the user's with `~`.
fn resolved(folder: &Path, path: &str, home: Option<&Path>) -> String {
    let scheme = path.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.chars().all(|c| c.is_alphanumeric() || c == '_')) {
        return path.to_owned();
    }
    let joined = match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(path),
    };
    crate::repository::normal(&joined).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::{Config, Link};
    use std::path::Path;

    fn read(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        let read = config.read(Path::new("/p/.dvc/config"), String::new(), text, Some(Path::new("/home/ada")));
        read.map(|()| config).map_err(|error| error.diagnostic().primary.unwrap().text)
    }

    #[test]
    fn settings_are_read_as_dvc_writes_them() {
        let text = "[core]\n    analytics = false\n    remote = Loc\n    no_scm = True\n# note\n\
                    ['remote \"loc\"']\n    url = ../../store\n[cache]\n    type = hardlink, copy # why\n    \
                    dir = ~/cache\n['remote \"s\"']\nurl = s3://b/p\n";
        let config = read(text).unwrap();
        assert!(config.no_scm && !config.is_shared);
        assert_eq!(config.remote.as_deref(), Some("loc"));
        assert_eq!(config.remotes["loc"]["url"], "/store");
        assert_eq!(config.remotes["s"]["url"], "s3://b/p");
        assert_eq!(config.links, [Link::Hardlink, Link::Copy]);
        assert_eq!(config.cache.as_deref(), Some(Path::new("/home/ada/cache")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(
            read("[cache]\ntype = hardlnk").unwrap_err(),
            "`hardlnk` is none of reflink, hardlink, symlink, copy"
        );
        assert_eq!(read("[core]\nno_scm = maybe").unwrap_err(), "expected true or false");
        assert_eq!(read("[core\nno_scm = 1").unwrap_err(), "a section ends with `]`");
        assert_eq!(read("[core]\nno_scm").unwrap_err(), "expected KEY = VALUE");
    }
}
