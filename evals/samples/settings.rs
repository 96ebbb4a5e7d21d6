use std::collections::HashMap;
use std::fs;
use std::path::Path;

#[derive(Debug)]
pub enum SettingsError {
    Io(std::io::Error),
    Syntax { line: usize },
}

impl From<std::io::Error> for SettingsError {
    fn from(error: std::io::Error) -> Self {
        SettingsError::Io(error)
    }
}

/// Key-value settings, one `key = value` per line; `#` starts a comment.
pub struct Settings {
    values: HashMap<String, String>,
}

impl Settings {
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path)?;
        let mut values = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .ok_or(SettingsError::Syntax { line: index + 1 })?;
            values.insert(key.trim().to_string(), ▮
        }
        Ok(Settings { values })
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}
