//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

/// One thing that is wrong: the place, the problem and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Complaint {
    /// The configuration file or environment variable the value came from.
    pub file: String,
    /// The dotted key, as in `server.listen` or `category.2.query`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if !self.key.is_empty() {
            write!(f, ": `{}`", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.remedy.is_empty() {
            write!(f, "\n    {}", self.remedy)?;
        }
        Ok(())
    }
}

/// A configuration that can't be used; every complaint at once, so that it is mended in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub complaints: Vec<Complaint>,
}

impl From<Complaint> for ConfigError {
    fn from(complaint: Complaint) -> Self {
        Self {
            complaints: vec![complaint],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for complaint in &self.complaints {
            if !first {
                f.write_str("\n")?;
            }
            first = false;
            write!(f, "{complaint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects complaints while the sections are looked through.
pub(super) struct Complaints<'a> {
    source_of: &'a dyn Fn(&str) -> String,
    found: Vec<Complaint>,
}

impl<'a> Complaints<'a> {
    /// `source_of` names the file or variable that set a key.
    pub(super) fn new(source_of: &'a dyn Fn(&str) -> String) -> Self {
        Self {
            source_of,
            found: Vec::new(),
        }
    }

    /// Notes a problem at `key`.
    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Complaint {
            file: (self.source_of)(key),
            key: key.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// Notes a problem unless `value` lies between `low` and `high`, both included.
    pub(super) fn within<T: PartialOrd + fmt::Display>(
        &mut self,
        key: &str,
        value: T,
        low: T,
        high: T,
    ) {
        if value < low || value > high {
            self.add(
                key,
                format!("{value} is out of bounds"),
                format!("set it between {low} and {high}"),
            );
        }
    }

    /// `Ok` when nothing was found.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(ConfigError {
                complaints: self.found,
            })
        }
    }
}
