//! Output buffers that are not zeroed first: on the CPU a zeroing pass costs as much as a layer's activation.
#![allow(unsafe_code, reason = "memory is taken uninitialised; who takes it vouches for writing all of it")]

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// `length` floats, zeroed and then filled chunk by chunk over all cores: zeros are still in cache when they are
/// written over. `fill` gets the number of a chunk and the chunk.
pub fn filled_by_chunks(length: usize, chunk: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut values = Fresh::new(length);
    values.0.par_chunks_mut(chunk.max(1)).enumerate().for_each(|(number, part)| {
        part.fill(MaybeUninit::new(0.0));
        // SAFETY: the line above wrote every element.
        fill(number, unsafe { floats(part) });
    });
    // SAFETY: the chunks cover all elements.
    unsafe { values.written() }
}

/// Memory that is not zeroed, because all of it is written before it is read.
pub(crate) struct Fresh(pub(crate) Vec<MaybeUninit<f32>>);

impl Fresh {
    /// Room for so many floats.
    pub(crate) fn new(length: usize) -> Self {
        let mut values = Vec::with_capacity(length);
        // SAFETY: the capacity is there, and elements that may be uninitialised need no first value.
        unsafe {
            values.set_len(length);
        }
        Self(values)
    }

    /// The floats.
    ///
    /// # Safety
    /// Every element was written.
    pub(crate) unsafe fn written(self) -> Vec<f32> {
        let mut values = std::mem::ManuallyDrop::new(self.0);
        // SAFETY: same allocation, length and capacity; the layouts are the same, and all are written.
        unsafe { Vec::from_raw_parts(values.as_mut_ptr().cast(), values.len(), values.capacity()) }
    }
}

/// The floats of a stretch of memory.
///
/// # Safety
/// Every element was written.
pub(crate) unsafe fn floats(values: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: the layouts are the same, and all are written.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [f32]) }
}
