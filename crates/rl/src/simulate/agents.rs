//! Agents of a simulation: made anew, or taken up where they stood.

use std::path::Path;

use burnrec_data::Side;
use burnrec_features::{Purpose, stream_seed};
use burnrec_train::Apart;

use super::act::Act;
use crate::agent::{Linear, Network, Plain, Policy, PolicyKind, Popularity};
use crate::error::RlError;

/// An agent, and what was saved beside it; nothing where it begins.
pub(super) type Taken = (Box<dyn Policy>, Option<Vec<u8>>);

fn taken<P: Policy + 'static>(
    found: Option<(P, Vec<u8>)>,
    new: impl FnOnce() -> Result<P, RlError>,
) -> Result<Taken, RlError> {
    Ok(match found {
        Some((policy, beside)) => (Box::new(policy), Some(beside)),
        None => (Box::new(new()?), None),
    })
}

/// What learns nothing, taken up where it stood if it was saved.
fn plain(mut policy: Plain, saved: bool) -> Result<Taken, RlError> {
    let beside = if saved { policy.resume()? } else { None };
    Ok((Box::new(policy), beside))
}

impl Act<'_> {
    /// The agent; none where a stop was asked for.
    pub(super) fn agent(&self, run: &Path) -> Result<Option<Taken>, RlError> {
        let seed = stream_seed(self.seed, self.name, 0);
        let (config, ahead) = (self.config, self.ahead);
        Ok(Some(match config.policy {
            PolicyKind::Random => plain(Plain::random(run.into(), seed), true)?,
            PolicyKind::Popularity => {
                taken(Popularity::resume(run)?, || Ok(Popularity::new(run.into(), &self.start.items)))?
            }
            PolicyKind::Oracle => plain(Plain::oracle(run.into(), ahead), !self.quiet)?,
            PolicyKind::LinUcb | PolicyKind::Thompson => {
                let (encoder, dataset) = self.start.encoder(self.job, self.seed)?;
                let found = Linear::resume(run, config.clone(), encoder.clone(), seed)?;
                taken(found, || {
                    let mut linear = Linear::new(run.into(), config.clone(), encoder.clone(), seed);
                    let source = dataset.source(Side::Train).clone();
                    for batch in dataset.stream(Side::Train, &encoder.schema().columns(true))? {
                        let batch = encoder.encode(&batch?, &*source, Purpose::Later)?;
                        linear.learn(&batch, &batch.targets.values);
                    }
                    Ok(linear)
                })?
            }
            PolicyKind::Network => match Network::resume(run, config.clone(), &self.job.opened, seed)? {
                Some((network, beside)) => (Box::new(network), Some(beside)),
                None => {
                    let Some(start) = self.start.run(self.job, config, self.seed)? else { return Ok(None) };
                    let apart = Apart::from_run(&start, run, &self.job.opened)?;
                    (Box::new(Network::new(config.clone(), apart, seed)?), None)
                }
            },
        }))
    }
}
