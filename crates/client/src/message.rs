//! What a client sends: who it is, its vector, and what item vectors that is of.

use crate::error::Error;

/// A user's vector on its way, a line of text: user, version and numbers, with tabs between.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The user.
    pub user: String,
    /// The version of the items' vectors that the user's is made of.
    pub version: String,
    /// The vector.
    pub vector: Vec<f32>,
}

impl Message {
    /// The line, without its end.
    pub fn line(&self) -> String {
        let numbers: Vec<String> = self.vector.iter().map(f32::to_string).collect();
        format!("{}\t{}\t{}", self.user, self.version, numbers.join(" "))
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it; `number` is its number, to tell.
    pub fn read(line: &str, number: usize) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::Line { line: number, problem: problem.into() };
        let mut parts = line.split('\t');
        let (Some(user), Some(version), Some(vector), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("is not a user, a version and a vector with tabs between"));
        };
        let number = |text: &str| text.parse::<f32>().ok().filter(|x| x.is_finite());
        let vector: Option<Vec<f32>> = vector.split(' ').map(number).collect();
        let vector = vector.ok_or_else(|| wrong("holds a number that is none"))?;
        Ok(Self { user: user.into(), version: version.into(), vector })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let sent = Message { user: "ann b".into(), version: "v1".into(), vector: vec![0.25, -1.0e-9, 1.0 / 3.0] };
        assert_eq!(Message::read(&sent.line(), 1), Ok(sent));
        for line in ["", "a\tb", "a\tb\t1 x", "a\tb\t1\t2", "a\tb\tNaN"] {
            assert!(Message::read(line, 7).unwrap_err().to_string().contains("line 7"), "{line}");
        }
    }
}
