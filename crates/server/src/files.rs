//! Where the configuration lies, and how it is read and changed on disk.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::litellm::{Import, import, is_litellm};
use crate::config::{Config, ConfigError};
use crate::tls;
use crate::upstream::check_certificates;

/// Where the configuration lies.
#[derive(Clone, Debug)]
pub struct Files {
    /// The user's own file, if there is one.
    pub config: Option<PathBuf>,
    /// The data directory. Rules are written into a file there where the user has none.
    pub data: PathBuf,
}

/// When each file was last changed; `None` where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps(Vec<Option<(SystemTime, u64)>>);

impl Files {
    /// The file with the rules that `apply` wrote where the user has no file.
    pub fn applied(&self) -> PathBuf {
        self.data.join("applied.toml")
    }

    /// The file that `apply` writes into. LiteLLM's own stays as it is.
    pub fn writable(&self) -> PathBuf {
        self.own().map_or_else(|| self.applied(), Path::to_path_buf)
    }

    fn own(&self) -> Option<&Path> {
        self.config.as_deref().filter(|path| !is_litellm(path))
    }

    /// What becomes of the file if it is LiteLLM's.
    pub fn imported(&self) -> Result<Option<Import>, ConfigError> {
        let Some(path) = self.config.as_deref().filter(|path| is_litellm(path)) else {
            return Ok(None);
        };
        import(&path.display().to_string(), &read(path)?).map(Some)
    }

    /// Reads the configuration as it is on disk now.
    pub fn load(&self) -> Result<Config, ConfigError> {
        if let Some(import) = self.imported()? {
            return self.taken(&import, None);
        }
        let text = self.config.as_deref().map(read).transpose()?;
        let name = self.config.as_ref().map_or("built-in".to_owned(), |p| p.display().to_string());
        self.parse(&name, text.as_deref().unwrap_or(""), None)
    }

    /// What the configuration would be if [`Files::writable`] held `text`.
    pub fn preview(&self, text: &str) -> Result<Config, ConfigError> {
        if let Some(import) = self.imported()? {
            return self.taken(&import, Some(text));
        }
        match &self.config {
            Some(path) => self.parse(&path.display().to_string(), text, None),
            None => self.parse("built-in", "", Some(text)),
        }
    }

    /// What LiteLLM's file means here, unless it must not be started with.
    fn taken(&self, import: &Import, applied: Option<&str>) -> Result<Config, ConfigError> {
        let name = self.config.as_ref().map_or(String::new(), |path| path.display().to_string());
        import.check(&name)?;
        let parsed = self.parse(&name, &import.toml, applied);
        parsed.map_err(|error| import.relocated(error, &name))
    }

    fn parse(&self, name: &str, text: &str, applied: Option<&str>) -> Result<Config, ConfigError> {
        let path = self.applied();
        let on_disk = std::fs::read_to_string(&path).ok();
        let file = path.display().to_string();
        let applied = applied.or(on_disk.as_deref()).map(|text| (file.as_str(), text));
        let config = Config::parse(name, text, applied, &|name| std::env::var(name).ok())?;
        let unusable = |what: String, why: io::Error| {
            ConfigError::nowhere(name, format!("{what} cannot be used: {why}"))
        };
        for provider in config.providers.values() {
            let Some(file) = &provider.ca_file else { continue };
            check_certificates(file).map_err(|why| {
                let shown = file.display();
                unusable(format!("`ca_file` of provider `{}`, {shown},", provider.name), why)
            })?;
        }
        if let Some(files) = &config.listen.tls {
            tls::load(files).map_err(|why| unusable("what [listen.tls] names".to_owned(), why))?;
        }
        Ok(config)
    }

    /// Stands for what the files hold, for the audit log: the same in every run, and no secret.
    pub(crate) fn digest(&self) -> String {
        let paths = self.config.iter().cloned().chain([self.applied()]);
        let texts = paths.map(|path| std::fs::read(path).unwrap_or_default());
        format!("sha256:{}", crate::keys::hash(&texts.collect::<Vec<_>>().join(&b"\0"[..])))
    }

    /// When the files were changed, to see whether they were; also those that `config` names and
    /// that others renew.
    pub fn stamps(&self, config: &Config) -> Stamps {
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let tls = config.listen.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]).cloned();
        let paths = self.config.iter().cloned().chain([self.applied()]).chain(tls);
        Stamps(paths.map(|path| stamp(&path)).collect())
    }

    /// The text that [`Files::writable`] holds; empty if there is no such file.
    pub(crate) fn text(&self) -> io::Result<String> {
        match std::fs::read_to_string(self.writable()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            text => text,
        }
    }

    /// Replaces the text as a whole: a reader sees the old one or the new one.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        let path = self.writable();
        // A link stays a link: what it points at is replaced.
        let path = path.canonicalize().unwrap_or(path);
        if self.own().is_none() && text.is_empty() && path.exists() {
            // The file is Scrimp's own, and there only for what was applied.
            return std::fs::remove_file(path);
        }
        // A configuration may hold keys, so the new file is no more open than the old one.
        let fresh = path.with_extension("toml.new");
        let mut file = std::fs::File::create(&fresh)?;
        if let Ok(metadata) = std::fs::metadata(&path) {
            file.set_permissions(metadata.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("it cannot be read: {error}");
        ConfigError::nowhere(&path.display().to_string(), message)
    })
}
