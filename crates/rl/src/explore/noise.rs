//! A network beside another: its weights plus noise that is drawn again from its seed wherever it is needed, so that neither
//! the noise nor a copy of the tables is ever held.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use burnrec_features::stream_seed;
use burnrec_models::AnyModel;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Noise over the dense weights of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// What it is drawn from.
    pub seed: u64,
    /// `α·u·W` with u uniform in -1..1, a number of its own for each weight.
    pub relative: f32,
    /// `σ·z` with z normal: what moves weights that are 0, too.
    pub additive: f32,
}

impl Noise {
    /// The model with this noise, times `scale`, on its weights; statistics that do not learn stay.
    #[must_use]
    pub fn on(&self, model: &AnyModel, scale: f32) -> AnyModel {
        model.clone().map(&mut Add { noise: *self, scale, number: 0 })
    }

    /// What it adds to weights, `ΔW`.
    fn values(&self, number: u64, weights: &[f32]) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(self.seed, "noise", number));
        let mut one = |weight: &f32| {
            let relative =
                if self.relative == 0.0 { 0.0 } else { self.relative * rng.random_range(-1.0..1.0f32) * weight };
            let normal = |rng: &mut ChaCha8Rng| -> f32 { StandardNormal.sample(rng) };
            relative + if self.additive == 0.0 { 0.0 } else { self.additive * normal(&mut rng) }
        };
        weights.iter().map(&mut one).collect()
    }
}

/// Walks the weights that learn, each with a stream of its own.
struct Add {
    noise: Noise,
    scale: f32,
    number: u64,
}

impl ModuleMapper for Add {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        if !value.is_require_grad() {
            return param;
        }
        self.number += 1;
        let device: Device = value.device();
        let (shape, inner) = (value.dims(), value.inner());
        let weights: Vec<f32> = burnrec_backend::traffic::read(inner);
        let noise = self.noise.values(self.number, &weights);
        let moved: Vec<f32> = weights.iter().zip(noise).map(|(weight, noise)| weight + self.scale * noise).collect();
        Param::initialized(param.id, Tensor::from_data(TensorData::new(moved, shape), &device).require_grad())
    }
}

/// The numbers of all weights that learn, in the order of the model.
pub fn read(model: &AnyModel) -> Vec<Vec<f32>> {
    struct Read(Vec<Vec<f32>>);
    impl burn::module::ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(burnrec_backend::traffic::read(param.val()));
        }
    }
    let mut found = Read(Vec::new());
    model.visit(&mut found);
    found.0
}

/// A model of the same settings with these numbers; none where they are of others.
pub fn write(model: &AnyModel, values: Vec<Vec<f32>>) -> Option<AnyModel> {
    struct Write {
        values: std::vec::IntoIter<Vec<f32>>,
        fits: bool,
    }
    impl ModuleMapper for Write {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let value = param.val();
            let shape = value.dims();
            match self.values.next().filter(|own| own.len() == shape.iter().product::<usize>()) {
                Some(own) => {
                    let tensor = Tensor::from_data(TensorData::new(own, shape), &value.device());
                    Param::initialized(param.id, tensor)
                }
                None => {
                    self.fits = false;
                    param
                }
            }
        }
    }
    let mut writer = Write { values: values.into_iter(), fits: true };
    let written = model.clone().map(&mut writer);
    (writer.fits && writer.values.next().is_none()).then_some(written)
}

/// A model with all weights that learn times a number.
#[must_use]
pub fn scaled(model: &AnyModel, by: f32) -> AnyModel {
    struct Scale(f32);
    impl ModuleMapper for Scale {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let value = param.val();
            match value.is_require_grad() {
                true => Param::initialized(param.id, Tensor::from_inner(value.inner() * self.0).require_grad()),
                false => param,
            }
        }
    }
    model.clone().map(&mut Scale(by))
}

/// `(1 - share)·a + share·b` of the numbers of two models.
pub fn mixed(a: &[Vec<f32>], b: &[Vec<f32>], share: f32) -> Vec<Vec<f32>> {
    let mix = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(|(a, b)| a + share * (b - a)).collect();
    a.iter().zip(b).map(mix).collect()
}
