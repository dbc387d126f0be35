//! Events that wait for labels that come later: each is held for a stretch of event time, and a later line with its id completes
//! it.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::line::{Entry, Line};
use super::rows::{Events, Parsed, Rejected};
use crate::error::DataError;
use crate::formats::Object;
use crate::time::time_values;
use crate::value::{TimeUnit, Values};

/// How labels are waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelWait {
    /// Nanoseconds of event time.
    pub window: i64,
    /// Key of an event's id.
    pub id: String,
    /// Key of the event time.
    pub time: String,
    /// Keys of labels, and what stands for a no, as JSON, where the window ends without a word of them.
    pub labels: Vec<(String, String)>,
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    id: String,
    time: i64,
    number: u64,
    start: u64,
    end: u64,
    entry: Option<Entry>,
    text: String,
}

/// What some lines did to the events that wait.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// Events that waited long enough, in the order in which they came.
    pub released: Vec<Line>,
    /// Lines that are none.
    pub rejected: Vec<Rejected>,
    /// Lines with nothing but labels, whose event is gone or never came.
    pub orphans: u64,
    /// Lines of an event that waits already.
    pub duplicates: u64,
    /// Events behind one of a later time.
    pub late: u64,
    /// What changed: see [`Passed::apply`].
    added: Vec<Held>,
    completed: Vec<(u64, String)>,
}

/// The events that wait.
pub struct Waiting {
    wait: LabelWait,
    events: Events,
    /// Keys of which an event has at least one; a line without any brings labels alone.
    inputs: Vec<String>,
    held: VecDeque<Held>,
    /// By id: how many had come before it.
    places: HashMap<String, u64>,
    /// How many are gone.
    gone: u64,
    newest: i64,
}

impl Waiting {
    /// With those that waited when a job stopped, and the latest event time until then.
    pub fn new(
        (path, time_unit): (&Path, Option<TimeUnit>),
        wait: LabelWait,
        inputs: Vec<String>,
        held: VecDeque<Held>,
        newest: i64,
    ) -> Self {
        let events = Events::new(path, &[wait.id.clone(), wait.time.clone()], &[], time_unit);
        let places = held.iter().zip(0..).map(|(held, place)| (held.id.clone(), place)).collect();
        Self { wait, events, inputs, held, places, gone: 0, newest }
    }

    /// The latest event time.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// Lets lines pass.
    ///
    /// # Errors
    /// None that is of a line: those are put aside.
    pub fn pass(&mut self, lines: Vec<Line>) -> Result<Passed, DataError> {
        let mut passed = Passed::default();
        let Parsed { rows, lines, rejected } = self.events.parse(lines)?;
        passed.rejected = rejected;
        if rows.num_rows() > 0 {
            let ids = Values::of(rows.column(0)).map_err(|_| unreadable(&self.wait.id))?;
            let times: Vec<Result<i64, String>> = match time_values(&rows, &self.wait.time, &self.events) {
                Ok(times) => times.into_iter().map(Ok).collect(),
                // One that is no time must not take the others with it.
                Err(_) => (0..rows.num_rows())
                    .map(|row| {
                        let one = time_values(&rows.slice(row, 1), &self.wait.time, &self.events);
                        one.map(|all| all[0]).map_err(|e| e.to_string())
                    })
                    .collect(),
            };
            for (row, (line, time)) in lines.into_iter().zip(times).enumerate() {
                let id = ids.text(row).map(|id| id.into_owned());
                let told = match (id, time) {
                    (_, Ok(time)) if is_ahead_of_clock(time) => Err((line, AHEAD.to_string())),
                    (Some(id), Ok(time)) => self.take(line, id, time, &mut passed),
                    (None, _) => Err((line, format!("key `{}` is missing; an event is told by it", self.wait.id))),
                    (_, Err(problem)) => Err((line, problem)),
                };
                if let Err((line, reason)) = told {
                    passed.rejected.push(Rejected { line, reason });
                }
                // Line by line, so that it does not matter how many come at once.
                self.release(&mut passed);
            }
        }
        Ok(passed)
    }

    fn take(&mut self, line: Line, id: String, time: i64, passed: &mut Passed) -> Result<(), (Line, String)> {
        let is_event = serde_json::from_slice::<Object<'_>>(&line.text).is_ok_and(|object| {
            object.0.iter().any(|(key, value)| value.get() != "null" && self.inputs.iter().any(|input| *input == **key))
        });
        match (self.places.get(&id).copied(), is_event) {
            (Some(_), true) => {
                passed.duplicates += 1;
                return Ok(());
            }
            (Some(place), false) => {
                let held = &mut self.held[(place - self.gone) as usize];
                // Its own time decides, and not what else came meanwhile.
                if time > held.time.saturating_add(self.wait.window) {
                    passed.orphans += 1;
                } else {
                    let Some(text) = completed(&held.text, &line.text, &self.wait) else {
                        return Err((line, "is no JSON object".into()));
                    };
                    held.text.clone_from(&text);
                    passed.completed.push((place, text));
                }
                self.newest = self.newest.max(time);
                return Ok(());
            }
            (None, false) => {
                self.newest = self.newest.max(time);
                passed.orphans += 1;
                return Ok(());
            }
            (None, true) => {}
        }
        passed.late += u64::from(time < self.newest);
        self.newest = self.newest.max(time);
        let Line { number, start, end, entry, text, .. } = line;
        let text = String::from_utf8_lossy(&text).into_owned();
        let held = Held { id: id.clone(), time, number, start, end, entry, text };
        self.places.insert(id, self.gone + self.held.len() as u64);
        self.held.push_back(held.clone());
        passed.added.push(held);
        Ok(())
    }

    /// Lets go what came first and waited long enough; what came behind it goes no earlier.
    fn release(&mut self, passed: &mut Passed) {
        let until = self.newest.saturating_sub(self.wait.window);
        while let Some(held) = self.held.pop_front_if(|held| held.time <= until) {
            self.places.remove(&held.id);
            self.gone += 1;
            let text = settled(&held.text, &self.wait.labels).unwrap_or(held.text);
            let Held { number, start, end, entry, .. } = held;
            passed.released.push(Line { number, start, end, entry, text: text.into_bytes(), is_cut: false });
        }
    }
}

impl Passed {
    /// Makes the same change to a copy of the events that wait.
    pub fn apply(self, held: &mut VecDeque<Held>, gone: &mut u64) {
        held.extend(self.added);
        for (place, text) in self.completed {
            if let Some(held) = held.get_mut((place - *gone) as usize) {
                held.text = text;
            }
        }
        held.drain(..self.released.len().min(held.len()));
        *gone += self.released.len() as u64;
    }
}

fn unreadable(key: &str) -> DataError {
    DataError::Setting { key: key.into(), problem: "holds values that are no ids".into() }
}

/// An event of which nothing was heard: its labels are a no. None where it has them all.
fn settled(event: &str, labels: &[(String, String)]) -> Option<String> {
    let event: Object<'_> = serde_json::from_str(event).ok()?;
    let known =
        |(label, _): &&(String, String)| event.0.iter().any(|(key, value)| **key == **label && value.get() != "null");
    let missing: Vec<&(String, String)> = labels.iter().filter(|label| !known(label)).collect();
    let mut all: Vec<_> =
        event.0.iter().filter(|(key, _)| !missing.iter().any(|label| **key == *label.0)).cloned().collect();
    for (label, no) in &missing {
        all.push((Cow::from(label.as_str()), serde_json::from_str(no).ok()?));
    }
    (!missing.is_empty()).then(|| written(&all))?
}

/// An event with what a later line says; id and time stay its own.
fn completed(event: &str, later: &[u8], wait: &LabelWait) -> Option<String> {
    let event: Object<'_> = serde_json::from_str(event).ok()?;
    let later: Object<'_> = serde_json::from_slice(later).ok()?;
    let mut all = event.0;
    for (key, value) in
        later.0.into_iter().filter(|(key, value)| **key != *wait.time && **key != *wait.id && value.get() != "null")
    {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => all.push((key, value)),
        }
    }
    written(&all)
}

fn written(all: &[(Cow<'_, str>, &RawValue)]) -> Option<String> {
    let pair = |(key, value): &(Cow<'_, str>, &RawValue)| {
        Some(format!("{}:{}", serde_json::to_string(key).ok()?, value.get()))
    };
    Some(format!("{{{}}}", all.iter().map(pair).collect::<Option<Vec<_>>>()?.join(",")))
}

/// Nanoseconds that an event may be ahead of this machine's clock.
const DAY: i64 = 86_400_000_000_000;
/// What is said of one that is further.
pub const AHEAD: &str = "is more than a day ahead of this machine's clock";

/// Whether a moment is more than a day ahead of this machine's clock.
pub fn is_ahead_of_clock(time: i64) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    time > i64::try_from(now).unwrap_or(i64::MAX).saturating_add(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn line(number: u64, text: &str) -> Line {
        Line { number, start: 0, end: number, entry: None, text: text.as_bytes().to_vec(), is_cut: false }
    }

    fn waiting(held: VecDeque<Held>, newest: i64) -> Waiting {
        let wait = LabelWait {
            window: 10 * SECOND,
            id: "id".into(),
            time: "t".into(),
            labels: vec![("y".into(), "0".into())],
        };
        Waiting::new((Path::new("e"), None), wait, vec!["x".into()], held, newest)
    }

    fn texts(passed: &Passed) -> Vec<(u64, String)> {
        let of = |line: &Line| (line.number, String::from_utf8(line.text.clone()).unwrap());
        passed.released.iter().map(of).collect()
    }

    #[test]
    fn events_wait_are_completed_and_go_in_their_order() {
        let lines = [
            r#"{"id": 1, "t": 1600000000, "x": "a", "y": 0}"#,
            r#"{"id": "2", "t": 1600000001, "x": "b", "y": 0}"#,
            r#"{"id": 1.0, "t": 1600000005, "y": 1}"#,
            r#"{"id": "2", "t": 1600000001, "x": "b", "y": 0}"#,
            r#"{"id": 9, "t": 1600000006, "y": 1}"#,
            r#"{"t": 1600000006, "x": "c"}"#,
            r#"{"id": 3, "t": "soon", "x": "c"}"#,
            r#"{"id": 4, "t": 1600000011, "x": "d"}"#,
            r#"{"id": 1, "t": 1600000012, "y": 1}"#,
            r#"{"id": 5, "t": 4102444800, "x": "e"}"#,
            r#"{"id": 4, "t": 4102444800, "y": 1}"#,
            r#"{"id": 6, "t": 1600000013, "x": "f"}"#,
            r#"{"id": 4, "t": 1600000022, "y": 1}"#,
            r#"{"id": 6, "t": 1600000023, "x":"f", "y": 1}"#,
        ];
        let all: Vec<Line> = (1..).zip(lines).map(|(number, text)| line(number, text)).collect();
        let mut whole = waiting(VecDeque::new(), 0);
        let passed = whole.pass(all.clone()).unwrap();
        // The fourth one's label came within ten seconds of it only by other events' times.
        let (one, two) =
            (r#"{"id":1,"t":1600000000,"x":"a","y":1}"#, r#"{"id": "2", "t": 1600000001, "x": "b", "y": 0}"#);
        let four = r#"{"id":4,"t":1600000011,"x":"d","y":0}"#;
        let wanted = [(1, one), (2, two), (8, four)].map(|(number, text)| (number, text.to_string()));
        assert_eq!(texts(&passed), wanted);
        // The first one's second label came when it was gone.
        assert_eq!((passed.orphans, passed.duplicates, passed.late), (3, 2, 0));
        let rejected: Vec<u64> = passed.rejected.iter().map(|one| one.line.number).collect();
        assert_eq!(rejected, [6, 7, 10, 11]);
        // Taken up again in the middle, from what a copy holds, it goes on as it would have.
        let (mut held, mut gone, mut again) = (VecDeque::new(), 0, waiting(VecDeque::new(), 0));
        again.pass(all[..4].to_vec()).unwrap().apply(&mut held, &mut gone);
        let text = serde_json::to_string(&held).unwrap();
        let newest = again.newest();
        let mut again = waiting(serde_json::from_str(&text).unwrap(), newest);
        let rest = again.pass(all[4..].to_vec()).unwrap();
        assert_eq!(texts(&rest), texts(&passed));
        rest.apply(&mut held, &mut 0);
        assert_eq!((held.len(), again.held.len()), (1, 1));
    }
}
