//! The standard normal distribution: logarithms that stay exact far out, and its inverse.

use libm::{erf, erfc, exp, log, log1p, sqrt};

/// log √(2π)
pub(crate) const LOG_ROOT_TAU: f64 = 0.918_938_533_204_672_8;

/// Gives the share of the distribution below `z`.
pub(crate) fn below(z: f64) -> f64 {
    0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Gives the share of the distribution between `low` ≤ 0 and `high` ≥ 0.
pub(crate) fn around(low: f64, high: f64) -> f64 {
    0.5 * (erf(high * std::f64::consts::FRAC_1_SQRT_2) - erf(low * std::f64::consts::FRAC_1_SQRT_2))
}

/// Gives the logarithm of the share below `z`.
pub(crate) fn log_below(z: f64) -> f64 {
    if z > 6.0 {
        return -below(-z);
    }
    if z > -20.0 {
        return log(below(z));
    }
    // The asymptotic series of Mills' ratio; its terms fall until far beyond the digits of a double.
    let square = 1.0 / (z * z);
    let (mut sum, mut term) = (1.0, 1.0);
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0] {
        term *= -odd * square;
        sum += term;
    }
    -0.5 * z * z - log(-z) - LOG_ROOT_TAU + log(sum)
}

/// Gives the logarithm of the share between `low` and `high`, which is above `low`.
pub(crate) fn log_between(low: f64, high: f64) -> f64 {
    if high <= 0.0 {
        let (greater, less) = (log_below(high), log_below(low));
        greater + log1p(-exp(less - greater))
    } else if low > 0.0 {
        log_between(-high, -low)
    } else {
        log(around(low, high))
    }
}

/// Gives the `z` below which `share` of the distribution lies; `share` is above 0 and below 1.
///
/// Algorithm AS 241 of M. Wichura ("The percentage points of the normal distribution", Applied Statistics 37, 1988),
/// exact to about 16 digits.
pub(crate) fn quantile(share: f64) -> f64 {
    let centred = share - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        return centred * ratio(&CENTRE, r);
    }
    let r = sqrt(-log(if centred < 0.0 { share } else { 1.0 - share }));
    let z = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&TAIL, r - 5.0) };
    if centred < 0.0 { -z } else { z }
}

/// Divides one polynomial by another; coefficients from the highest power down.
fn ratio([above, below]: &[[f64; 8]; 2], x: f64) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient);
    polynomial(above) / polynomial(below)
}

const CENTRE: [[f64; 8]; 2] = [
    [
        2.509_080_928_730_122_7e3,
        3.343_057_558_358_813e4,
        6.726_577_092_700_87e4,
        4.592_195_393_154_987e4,
        1.373_169_376_550_946e4,
        1.971_590_950_306_551_3e3,
        1.331_416_678_917_843_8e2,
        3.387_132_872_796_366_5,
    ],
    [
        5.226_495_278_852_854e3,
        2.872_908_573_572_194_3e4,
        3.930_789_580_009_271e4,
        2.121_379_430_158_659_7e4,
        5.394_196_021_424_751e3,
        6.871_870_074_920_579e2,
        4.231_333_070_160_091e1,
        1.0,
    ],
];
const MIDDLE: [[f64; 8]; 2] = [
    [
        7.745_450_142_783_414e-4,
        2.272_384_498_926_918_4e-2,
        2.417_807_251_774_506e-1,
        1.270_458_252_452_368_4,
        3.647_848_324_763_204_5,
        5.769_497_221_460_691,
        4.630_337_846_156_546,
        1.423_437_110_749_683_5,
    ],
    [
        1.050_750_071_644_416_9e-9,
        5.475_938_084_995_345e-4,
        1.519_866_656_361_645_7e-2,
        1.481_039_764_274_800_8e-1,
        6.897_673_349_851e-1,
        1.676_384_830_183_803_8,
        2.053_191_626_637_759,
        1.0,
    ],
];
const TAIL: [[f64; 8]; 2] = [
    [
        2.010_334_399_292_288_1e-7,
        2.711_555_568_743_487_6e-5,
        1.242_660_947_388_078_4e-3,
        2.653_218_952_657_612_4e-2,
        2.965_605_718_285_048_7e-1,
        1.784_826_539_917_291_3,
        5.463_784_911_164_114,
        6.657_904_643_501_103,
    ],
    [
        2.044_263_103_389_939_8e-15,
        1.421_511_758_316_446e-7,
        1.846_318_317_510_054_8e-5,
        7.868_691_311_456_133e-4,
        1.487_536_129_085_061_5e-2,
        1.369_298_809_227_358e-1,
        5.998_322_065_558_88e-1,
        1.0,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_inverts_the_share_below() {
        for z in [-37.0, -12.0, -5.5, -3.0, -1.5, -0.4, -1e-9, 0.0, 0.3, 1.44, 2.0, 4.0] {
            let found = quantile(below(z));
            assert!((found - z).abs() <= 1e-12 * (1.0 + z.abs()), "{z} {found}");
        }
    }

    #[test]
    fn shares_far_out_keep_their_logarithms() {
        // The share between two points, and the sum of the shares of its halves.
        for (low, middle, high) in [(-40.0, -39.5, -39.0), (-8.0, -7.0, -3.0), (-1.0, 0.0, 2.0), (21.0, 21.2, 30.0)] {
            let (whole, left, right) = (log_between(low, high), log_between(low, middle), log_between(middle, high));
            let most = left.max(right);
            let sum = most + log(exp(left - most) + exp(right - most));
            assert!((whole - sum).abs() < 1e-11 * whole.abs().max(1.0), "{whole} {sum}");
        }
        // From SciPy: scipy.stats.norm.logcdf(-38).
        assert!((log_below(-38.0) + 726.557_216_018_820_1).abs() < 1e-9);
    }
}
