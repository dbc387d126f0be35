//! Which shard a row lives in, and the order of rows by shard.

/// Shards of a table; a power of two.
pub(crate) const SHARDS: usize = 64;
/// Bits of a shard's number.
pub(crate) const SHARD_BITS: u32 = SHARDS.trailing_zeros();
/// The shard that a row lives in.
pub(crate) fn shard_of(row: u32) -> usize {
    row as usize & (SHARDS - 1)
}

/// The number that orders rows by shard, then by place in it.
pub(crate) fn rotate(row: u32) -> u32 {
    row.rotate_right(SHARD_BITS)
}

/// The row of a rotated one.
pub(crate) fn unrotate(rotated: u32) -> u32 {
    rotated.rotate_left(SHARD_BITS)
}

/// The place in its shard of a rotated row.
pub(crate) fn local(rotated: u32) -> usize {
    (rotated & (u32::MAX >> SHARD_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_keeps_rows_apart_and_groups_them_by_shard() {
        let rows = [0, 1, 63, 64, 65, 127, 128, u32::MAX];
        for row in rows {
            let rotated = rotate(row);
            assert_eq!((rotated >> (32 - SHARD_BITS)) as usize, shard_of(row));
            assert_eq!(local(rotated), row as usize / SHARDS);
        }
    }
}
