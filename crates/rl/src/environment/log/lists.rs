//! Rows that are the candidates of lists.

use std::collections::{HashMap, HashSet};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use burnrec_data::Source;

use super::config::LogConfig;
use super::form::{Form, Taken, clicks, keys};
use crate::error::RlError;

/// Each row a candidate; rows of one request stand together.
pub struct Lists {
    config: LogConfig,
    /// What each item is about.
    about: HashMap<u64, u64>,
}

impl Lists {
    /// Of a log with these columns.
    pub fn new(config: LogConfig) -> Self {
        Self { config, about: HashMap::new() }
    }
}

impl Form for Lists {
    fn columns(&self) -> Vec<String> {
        self.config.columns()
    }

    fn request(&self) -> Option<&str> {
        Some(&self.config.request)
    }

    fn time(&self) -> &str {
        &self.config.time
    }

    fn delay_seconds(&self) -> f64 {
        self.config.delay_seconds
    }

    fn check(&self, rows: &RecordBatch, source: &dyn Source) -> Result<(), RlError> {
        clicks(rows, source, &self.config.click).map(drop)
    }

    fn take(&mut self, rows: RecordBatch, source: &dyn Source) -> Result<Taken, RlError> {
        let (users, items) = (keys(&rows, source, &self.config.user)?, keys(&rows, source, &self.config.item)?);
        if let Some(about) = &self.config.about {
            self.about.extend(items.iter().copied().zip(keys(&rows, source, about)?));
        }
        // Some logs have an item twice in one list: it was clicked if one of them was.
        let mut clicked: HashMap<u64, bool> = HashMap::new();
        for (item, click) in items.iter().zip(clicks(&rows, source, &self.config.click)?) {
            *clicked.entry(*item).or_default() |= click;
        }
        let mut seen = HashSet::new();
        let own: Vec<u32> = (0..items.len() as u32).filter(|row| seen.insert(items[*row as usize])).collect();
        let candidates: Vec<u64> = own.iter().map(|row| items[*row as usize]).collect();
        let rows = match own.len() == items.len() {
            true => rows,
            false => take_record_batch(&rows, &UInt32Array::from(own))?,
        };
        let clicks = candidates.iter().map(|item| clicked.get(item).copied()).collect();
        Ok(Taken { rows, user: Some(users[0]), candidates, clicks, propensity: None })
    }

    fn similarity(&self, a: u64, b: u64) -> f64 {
        match (self.about.get(&a), self.about.get(&b)) {
            (Some(a), Some(b)) => f64::from(u8::from(a == b)),
            _ => f64::from(u8::from(a == b)),
        }
    }
}
