//! What a field of the config gives a model, and batches in which it has the values of other rows.

use burnrec_features::{Batch, Schema};

/// An input of the schema.
#[derive(Clone, Copy)]
pub(super) enum Input {
    Categorical(usize),
    Numeric(usize),
}

/// The inputs of each field. Sequences that go along another one are of its field: a history of items has those items' categories.
pub(super) fn fields(schema: &Schema) -> Vec<(String, Vec<Input>)> {
    let leader = |at: usize| schema.categorical[at].sequence.as_ref().map_or(at, |sequence| sequence.leader);
    let name = |at: usize| &schema.categorical[leader(at)].name;
    let categorical = (0..schema.categorical.len()).map(|at| (name(at), Input::Categorical(at)));
    let numeric = schema.numeric.iter().enumerate().map(|(at, input)| (&input.field, Input::Numeric(at)));
    let mut fields: Vec<(String, Vec<Input>)> = Vec::new();
    // Inputs that are drawn have no values of rows.
    let own = categorical.filter(|(_, input)| !matches!(input, Input::Categorical(at) if schema.is_drawn(*at)));
    for (name, input) in own.chain(numeric) {
        match fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, inputs)) => inputs.push(input),
            None => fields.push((name.clone(), vec![input])),
        }
    }
    fields
}

/// A batch in which some inputs are those of other rows: row `r` has those of row `order[r]` of `others`.
pub(super) fn moved(batch: &Batch, inputs: &[Input], others: &Batch, order: &[u32]) -> Batch {
    let mut changed = batch.clone();
    let width = others.numeric.len() / others.rows.max(1);
    for input in inputs {
        match *input {
            Input::Categorical(place) => changed.keys[place] = others.keys[place].take(order),
            Input::Numeric(place) => {
                for (row, from) in order.iter().enumerate() {
                    changed.numeric[row * width + place] = others.numeric[*from as usize * width + place];
                }
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use burnrec_features::Keys;

    #[test]
    fn only_what_is_named_moves() {
        let batch = Batch {
            rows: 3,
            keys: vec![Keys::One(vec![1, 2, 3]), Keys::One(vec![4, 5, 6])],
            numeric: vec![0.1, 0.2, 1.1, 1.2, 2.1, 2.2],
            ..Batch::default()
        };
        let found = moved(&batch, &[Input::Categorical(1), Input::Numeric(0)], &batch, &[2, 0, 1]);
        assert_eq!(found.keys, [Keys::One(vec![1, 2, 3]), Keys::One(vec![6, 4, 5])]);
        assert_eq!(found.numeric, [2.1, 0.2, 0.1, 1.2, 1.1, 2.2]);
    }
}
