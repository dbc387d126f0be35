//! Exponentials that compile to wide vectors.

/// `e^x` to some units in the last place, within the range of a float: `2^n · e^r` with a polynomial for the rest r.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const ROUND: f32 = 12_582_912.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    // Added to a small number it leaves the nearest whole number in the last bits, without a call and on any machine.
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    // Taylor's terms to the seventh: |r| is at most ln 2 / 2, where the next one is below 2⁻²⁴.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(power)
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_agree_with_the_exact_functions() {
        for i in -4000..4000 {
            let x = i as f32 * 0.02;
            let exact = f64::from(x).exp();
            assert!((f64::from(super::exp(x)) - exact).abs() <= 3e-7 * exact, "{x}");
            assert!((f64::from(super::tanh(x)) - f64::from(x).tanh()).abs() < 3e-7, "{x}");
        }
        assert!(super::exp(-1e9) < 1e-37 && super::sigmoid(1e9) == 1.0 && super::tanh(-1e9) == -1.0);
    }
}
