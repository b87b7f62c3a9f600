//! Statistics of two samples, as SciPy 1.17 and Evidently 0.7.23 define them.
//!
//! Samples are sorted, finite doubles; [`sorted`] makes one. [`Walk`] goes through two of them once and gives what
//! several statistics need. Values agree with SciPy to 1e-9, p-values to 1e-6.
//!
//! Never: a number of the system's C library (`exp`, `ln` and kin are `libm`'s); a sum whose order depends on threads.

mod bins;
mod chi_square;
mod kolmogorov;
mod shares;
mod sort;
mod walk;

pub use bins::{counts, hellinger_of_densities, sturges};
pub use chi_square::{chi_square, proportions};
pub use kolmogorov::kolmogorov_smirnov;
pub use shares::{hellinger, jensen_shannon, kl_divergence, psi, shares};
pub use sort::sorted;
pub(crate) use sort::{Room, key, value};
pub use walk::{Walk, distinct};
