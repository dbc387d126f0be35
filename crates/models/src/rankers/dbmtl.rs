//! DBMTL, deep Bayesian multi-target learning: each target given those that it hangs on, along a graph without circles (Wang
//! et al., 2019).
//!
//! ```text
//! inputs ─ bottom ─ tower of k ─ m_k;   r_k = relation_k([m_k; r_j for the targets j that k hangs on]);   head k = w_k·r_k
//! ```
//! A target reads the hidden vectors of those before it, not their labels: training and serving are the same.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burnrec_backend::Activation;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Layers, LayersConfig, check_probability, check_widths, layer};
use crate::contract::{Architecture, Head, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Settings of [`Dbmtl`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DbmtlConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each layer that the tasks share.
    pub bottom: Vec<usize>,
    /// Width of each layer of a task's own tower.
    pub tower: Vec<usize>,
    /// Width of each layer that joins a task with those that it hangs on; none leaves them side by side.
    pub relation: Vec<usize>,
    /// For each task the tasks that it hangs on, for example `buy = ["click", "cart"]`; when absent the `parent` of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parents: Option<BTreeMap<String, Vec<String>>>,
    /// Probability that an activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DbmtlConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            bottom: vec![256, 128],
            tower: vec![64],
            relation: vec![32],
            parents: None,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// A target with those that it hangs on.
#[derive(Module, Debug)]
struct Target {
    tower: Layers,
    relation: Layers,
    score: Linear,
}

/// DBMTL.
#[derive(Module, Debug)]
pub struct Dbmtl {
    bottom: Layers,
    targets: Vec<Target>,
    /// The targets that each hangs on.
    #[module(skip)]
    parents: Vec<Vec<usize>>,
    /// All targets, each behind those that it hangs on.
    #[module(skip)]
    order: Vec<usize>,
}

impl DbmtlConfig {
    fn layers(&self, hidden: &[usize]) -> LayersConfig {
        let dropout = if hidden.is_empty() { 0.0 } else { self.dropout };
        LayersConfig { hidden: hidden.to_vec(), dropout, batch_norm: false }
    }

    /// The tasks that each hangs on; why not, where a name is unknown.
    fn graph(&self, names: &[String], parents: &[Option<usize>]) -> Result<Vec<Vec<usize>>, String> {
        let Some(given) = &self.parents else {
            return Ok(parents.iter().map(|parent| parent.iter().copied().collect()).collect());
        };
        let place = |name: &String| {
            names.iter().position(|n| n == name).ok_or_else(|| format!("names `{name}`, which is no task"))
        };
        let mut graph = vec![Vec::new(); names.len()];
        for (task, hangs_on) in given {
            let own = place(task)?;
            for other in hangs_on {
                let other = place(other)?;
                match graph[own].contains(&other) {
                    true => return Err(format!("names a task twice for `{task}`")),
                    false => graph[own].push(other),
                }
            }
        }
        Ok(graph)
    }
}

/// All tasks, each behind those that it hangs on; a task of a circle, where there is one.
fn ordered(parents: &[Vec<usize>]) -> Result<Vec<usize>, usize> {
    let mut order: Vec<usize> = Vec::with_capacity(parents.len());
    while order.len() < parents.len() {
        let is_next = |task: &usize| !order.contains(task) && parents[*task].iter().all(|p| order.contains(p));
        match (0..parents.len()).find(is_next) {
            Some(next) => order.push(next),
            None => return Err((0..parents.len()).find(|task| !order.contains(task)).unwrap_or(0)),
        }
    }
    Ok(order)
}

impl Architecture for DbmtlConfig {
    type Model = Dbmtl;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("dbmtl", schema, self.embedding_dim, self.embedding_std)?;
        check_widths("dbmtl", "bottom", &self.bottom, 1)?;
        check_widths("dbmtl", "tower", &self.tower, 0)?;
        check_widths("dbmtl", "relation", &self.relation, 0)?;
        check_probability("dbmtl", "dropout", self.dropout)?;
        let names: Vec<String> = schema.targets.iter().map(|target| target.name.clone()).collect();
        let parents: Vec<Option<usize>> = schema.targets.iter().map(|target| target.parent).collect();
        let graph = self.graph(&names, &parents).or_else(|problem| setting("dbmtl", "parents", problem))?;
        match ordered(&graph) {
            Ok(_) => Ok(()),
            Err(task) => setting(
                "dbmtl",
                "parents",
                format!("run in a circle: `{}` hangs on itself by way of others; take one of them out", names[task]),
            ),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Dbmtl {
        let tasks = shapes.outputs.len();
        let parents = self.graph(&shapes.tasks, &shapes.parents).ok().filter(|graph| graph.len() == tasks);
        let parents = parents.unwrap_or_else(|| vec![Vec::new(); tasks]);
        let order = ordered(&parents).unwrap_or_else(|_| (0..tasks).collect());
        let bottom = self.layers(&self.bottom);
        let (tower, relation) = (self.layers(&self.tower), self.layers(&self.relation));
        let width = bottom.output(shapes.stacked(0));
        let own = tower.output(width);
        // Widths in the order in which vectors are made: without layers that join, a vector is as wide as all it is made of.
        let mut widths = vec![0; tasks];
        let mut joined = vec![0; tasks];
        for &task in &order {
            joined[task] = own + parents[task].iter().map(|parent| widths[*parent]).sum::<usize>();
            widths[task] = relation.output(joined[task]);
        }
        let built = bottom.init(shapes.stacked(0), initial, device);
        let target = |task: usize| Target {
            tower: tower.init(width, initial, device),
            relation: relation.init(joined[task], initial, device),
            score: initial.linear_logit(widths[task], &shapes.outputs[task], device),
        };
        Dbmtl { bottom: built, targets: (0..tasks).map(target).collect(), parents, order }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Dbmtl {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the last shared layer `[B, h]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        Trunk(vec![self.bottom.forward(inputs.flat(0), inputs.numeric.clone())])
    }

    fn heads(&self, mut trunk: Trunk, _inputs: &Inputs) -> Outputs {
        let shared = trunk.0.swap_remove(0);
        let mut related: Vec<Option<Tensor<2>>> = vec![None; self.targets.len()];
        for &task in &self.order {
            let target = &self.targets[task];
            let own = target.tower.forward(shared.clone(), None); // m_k
            let before = self.parents[task].iter().filter_map(|parent| related[*parent].clone());
            let parts: Vec<Tensor<2>> = std::iter::once(own).chain(before).collect();
            related[task] = Some(target.relation.forward(Tensor::cat(parts, 1), None)); // r_k
        }
        let head = |(target, vector): (&Target, Tensor<2>)| {
            Head::Logit(layer(&target.score, vector, None, Activation::Identity))
        };
        Outputs::of(self.targets.iter().zip(related.into_iter().flatten()).map(head).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rankers::SharedBottomConfig;

    fn shapes(names: &[&str]) -> InputShapes {
        InputShapes {
            lookups: vec![(2, 3)],
            outputs: names.iter().enumerate().map(|(at, _)| vec![at as f32 * 0.1]).collect(),
            tasks: names.iter().map(ToString::to_string).collect(),
            parents: vec![None; names.len()],
            ..InputShapes::default()
        }
    }

    fn read(outputs: &Outputs, head: usize) -> Vec<f32> {
        outputs.heads[head].scores().into_data().try_to_vec().unwrap()
    }

    fn config(relation: Vec<usize>, parents: &[(&str, &[&str])]) -> DbmtlConfig {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let parents = parents.iter().map(|(task, on)| (task.to_string(), names(on))).collect();
        DbmtlConfig { bottom: vec![5], tower: vec![3], relation, parents: Some(parents), ..DbmtlConfig::default() }
    }

    #[test]
    fn without_parents_and_layers_that_join_it_is_shared_bottom() {
        let (device, shapes) = (Device::flex(), shapes(&["a", "b"]));
        let free = config(vec![], &[]).init(&shapes, &mut Initial::new(3), &device);
        let shared = SharedBottomConfig { bottom: vec![5], tower: vec![3], ..SharedBottomConfig::default() };
        let shared = shared.init(&shapes, &mut Initial::new(3), &device);
        let inputs = Inputs::slots(vec![Initial::new(9).normal(1.0, [4, 2, 3], &device).val()], None);
        let (free, shared) = (free.forward(&inputs), shared.forward(&inputs));
        (0..2).for_each(|head| assert_eq!(read(&free, head), read(&shared, head)));
    }

    #[test]
    fn the_order_of_the_tasks_does_not_matter_and_circles_are_found() {
        let device = Device::flex();
        let own = config(vec![4], &[("buy", &["click", "cart"]), ("cart", &["click"])]);
        let (forth, back) = (shapes(&["click", "cart", "buy"]), shapes(&["buy", "cart", "click"]));
        let first = own.init(&forth, &mut Initial::new(3), &device);
        let mut second = own.init(&back, &mut Initial::new(4), &device);
        assert_eq!(second.order, [2, 1, 0]);
        second.bottom = first.bottom.clone();
        second.targets = first.targets.iter().rev().cloned().collect();
        let inputs = Inputs::slots(vec![Initial::new(9).normal(1.0, [4, 2, 3], &device).val()], None);
        let (first, second) = (first.forward(&inputs), second.forward(&inputs));
        (0..3).for_each(|head| assert_eq!(read(&first, head), read(&second, 2 - head)));
        assert_eq!(ordered(&[vec![], vec![2], vec![1]]), Err(1));
        assert_eq!(ordered(&[vec![0]]), Err(0));
    }
}
