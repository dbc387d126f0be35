//! First values of dense weights, drawn on the host: the same on every device.

use burn::module::RunningState;
use burn::module::{Param, ParamId};
use burn::nn::{BatchNorm, BatchNormConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use burnrec_features::stream_seed;

/// A seeded source of first weights. Parameters get ids in the order they are made, so that optimiser
/// state saved by one process fits the model of another.
pub struct Initial {
    rng: ChaCha8Rng,
    next_id: u64,
}

impl Initial {
    /// The stream `init` of a run's seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(stream_seed(seed, "init", 0)), next_id: 1 }
    }

    fn id(&mut self) -> ParamId {
        self.next_id += 1;
        ParamId::from(self.next_id)
    }

    /// A parameter with these values.
    pub fn param<const D: usize>(&mut self, values: Vec<f32>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
        let tensor = Tensor::from_data(TensorData::new(values, shape), device);
        let tensor = if device.is_autodiff() { tensor.require_grad() } else { tensor };
        Param::initialized(self.id(), tensor)
    }

    /// A parameter of zeros.
    pub fn zeros<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
        self.param(vec![0.0; shape.iter().product()], shape, device)
    }

    /// A parameter drawn from N(0, deviation²).
    pub fn normal<const D: usize>(&mut self, deviation: f32, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let draw = |rng: &mut ChaCha8Rng| -> f32 { StandardNormal.sample(rng) };
        let values = (0..count).map(|_| draw(&mut self.rng) * deviation).collect();
        self.param(values, shape, device)
    }

    /// Running statistics that start at `value`.
    pub fn running(&mut self, value: Tensor<1>) -> RunningState<Tensor<1>> {
        RunningState::with_id(self.id(), value)
    }

    /// Batch norm over `width` activations: scale 1, shift 0, running mean 0 and variance 1.
    pub fn batch_norm(&mut self, width: usize, device: &Device) -> BatchNorm {
        let norm = BatchNormConfig::new(width).init(device);
        BatchNorm {
            gamma: self.param(vec![1.0; width], [width], device),
            beta: self.zeros([width], device),
            running_mean: self.running(Tensor::zeros([width], device)),
            running_var: self.running(Tensor::ones([width], device)),
            ..norm
        }
    }

    /// `y = xW + b` before a ReLU: He et al. 2015, W ~ N(0, 2/in), b = 0.
    pub fn linear_relu(&mut self, inputs: usize, outputs: usize, device: &Device) -> Linear {
        let weight = self.normal((2.0 / inputs.max(1) as f32).sqrt(), [inputs, outputs], device);
        Linear { weight, bias: Some(self.zeros([outputs], device)) }
    }

    /// `y = xW + b` before heads: Glorot & Bengio 2010, W ~ U(±√(6/(in+out))), an output for each of `biases`.
    pub fn linear_logit(&mut self, inputs: usize, biases: &[f32], device: &Device) -> Linear {
        let outputs = biases.len();
        let limit = (6.0 / (inputs + outputs).max(1) as f32).sqrt();
        let values = (0..inputs * outputs).map(|_| self.rng.random_range(-limit..=limit)).collect();
        let weight = self.param(values, [inputs, outputs], device);
        Linear { weight, bias: Some(self.param(biases.to_vec(), [outputs], device)) }
    }
}
