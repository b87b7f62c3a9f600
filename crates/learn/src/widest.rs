//! Loops compiled twice: for every processor, and for those whose registers are twice as wide.
//!
//! Both do the same sums, products and roundings on every value, since nothing may be fused or reordered; only how many
//! values share an instruction differs. So what they give has the same bits.

/// A loop over values, whole in one function: what it calls must be inlined into it, or is compiled for every processor.
pub(crate) trait Work {
    type Output;

    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Does `work` by the widest instructions that this processor has.
#[inline]
pub(crate) fn widest<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi2") {
        #[expect(unsafe_code, reason = "the compiler cannot know that the processor has just been asked")]
        // SAFETY: what `on_avx2` needs beyond every processor of this family is what has just been asked for.
        return unsafe { on_avx2(work) };
    }
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn on_avx2<W: Work>(work: W) -> W::Output {
    work.run()
}
