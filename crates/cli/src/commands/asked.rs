//! The users of a file that something is recommended to.

use std::collections::HashMap;

use burnrec_data::Source;
use burnrec_features::{Encoder, Given, Who};

use crate::error::CliError;

/// A user of the file.
pub struct User {
    /// As the file has it.
    pub id: String,
    /// The place in the catalogue.
    pub place: Option<u32>,
    /// The part of the file, and the row there, that describes it.
    row: (usize, u32),
}

/// The users of a file, each once, with what the file says of them.
pub struct Asked {
    pub users: Vec<User>,
    given: Vec<Given>,
    /// Whether the file has more than ids.
    pub described: bool,
}

impl Asked {
    /// Reads ids, and the columns of inputs that are of users: their histories too. Of a user that stands more than once the last
    /// row counts.
    pub fn read(source: &dyn Source, encoder: &Encoder, user: &str) -> Result<Self, CliError> {
        let schema = encoder.schema();
        let of_fields = schema.user_fields().into_iter().flat_map(|place| schema.columns_of(place));
        let of_numbers = schema.user_numeric().into_iter().map(|n| &schema.numeric[n].column);
        let mut columns = vec![user.to_string()];
        for column in of_fields.chain(of_numbers) {
            if source.column(column).is_ok() && !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        whole_histories(source, encoder)?;
        let mut asked = Self { users: Vec::new(), given: Vec::new(), described: columns.len() > 1 };
        let (mut places, mut again) = (HashMap::new(), 0);
        for rows in source.stream(&columns)? {
            let rows = rows?;
            for (row, id) in (0..).zip(burnrec_features::ids(&rows, source, user)?) {
                let row = (asked.given.len(), row);
                match places.get(&id) {
                    Some(&at) => {
                        let known: &mut User = &mut asked.users[at];
                        (known.row, again) = (row, again + 1);
                    }
                    None => {
                        places.insert(id.clone(), asked.users.len());
                        let place = encoder.catalogue().and_then(|catalogue| catalogue.user(&id));
                        asked.users.push(User { id, place, row });
                    }
                }
            }
            if asked.described {
                asked.given.push(encoder.encode_users(&rows, source)?);
            }
        }
        let path = source.path().display();
        if again > 0 {
            tracing::info!(
                "{path}: {again} rows are of users that stand there already; each is answered once, by its last row"
            );
        }
        if asked.described {
            tracing::info!("{path}: {} are read from there", columns[1..].join(", "));
        }
        Ok(asked)
    }

    /// Those that can be answered: users of the run's data, and others where the file describes them and `others` are wanted.
    pub fn known(&self, others: bool) -> impl Iterator<Item = (&str, Who<'_>)> {
        let who = |user: &User| Who { user: user.place, given: self.given.get(user.row.0).map(|g| (g, user.row.1)) };
        let known = self.users.iter().filter(move |user| (others && self.described) || user.place.is_some());
        known.map(move |user| (user.id.as_str(), who(user)))
    }
}

/// Refuses a file that has some of the histories: what a user did would be told by two sources that do not belong together.
fn whole_histories(source: &dyn Source, encoder: &Encoder) -> Result<(), CliError> {
    let schema = encoder.schema();
    let columns: Vec<&String> = schema.sequences().into_iter().flat_map(|place| schema.columns_of(place)).collect();
    let (there, missing): (Vec<&String>, Vec<&String>) = columns.into_iter().partition(|c| source.column(c).is_ok());
    match (there.first(), missing.first()) {
        (Some(there), Some(missing)) => Err(CliError::Usage(format!(
            "{}: has the history `{there}` but not `{missing}`; give all histories of a user, or none",
            source.path().display()
        ))),
        _ => Ok(()),
    }
}
