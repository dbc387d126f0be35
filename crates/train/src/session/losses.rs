//! The losses of steps, read from the device only when they are logged.

use burn::tensor::Tensor;
use burnrec_record::{Metrics, TaskMetrics};

use crate::error::TrainError;
use crate::run::Progress;
use crate::task::Task;

/// Sums of each task's losses that are still on the device.
#[derive(Default)]
pub(super) struct Losses(Vec<Tensor<1>>);

impl Losses {
    pub(super) fn add(&mut self, losses: Vec<Tensor<1>>) {
        self.0 = match self.0.is_empty() {
            true => losses,
            false => std::mem::take(&mut self.0).into_iter().zip(losses).map(|(sum, own)| sum + own).collect(),
        };
    }

    /// Reads them into the progress.
    pub(super) fn read(&mut self, progress: &mut Progress, learning_rate: f64) -> Result<(), TrainError> {
        let pending = std::mem::take(&mut self.0);
        progress.losses.resize(pending.len().max(progress.losses.len()), 0.0);
        for (sum, own) in progress.losses.iter_mut().zip(pending) {
            *sum += f64::from(own.into_scalar::<f32>());
        }
        match progress.losses.iter().find(|sum| !sum.is_finite()) {
            Some(loss) => Err(TrainError::Diverged { step: progress.step, loss: *loss, learning_rate }),
            None => Ok(()),
        }
    }
}

/// The mean losses since the last ones, all of them and of each task; none where no step was taken.
pub(super) fn means(progress: &mut Progress, tasks: &[Task]) -> Option<(f64, TaskMetrics)> {
    let (sums, count) = (std::mem::take(&mut progress.losses), std::mem::take(&mut progress.losses_of));
    if count == 0 {
        return None;
    }
    let means: Vec<f64> = sums.iter().map(|sum| sum / count as f64).collect();
    let all = means.iter().zip(tasks).map(|(mean, task)| mean * task.weight).sum();
    let of = |(task, mean): (&Task, &f64)| (task.name.clone(), Metrics(vec![("loss".into(), Ok(*mean))]));
    Some((all, TaskMetrics(tasks.iter().zip(&means).map(of).collect())))
}
