//! How the products of a layer are cut into tiles: by their shapes alone, so that the same layer takes the same sums on every
//! device.

/// Which of a layer's three products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// `[B, in]·[in, out]`, the layer itself.
    Forward,
    /// `[B, out]·[out, in]`, the way back to its inputs.
    Inputs,
    /// `[in, B]·[B, out]`, the way back to its weights and, by sums over rows, to its bias.
    Weights,
    /// Of outer products, `[B, p·out]·[p·out, q]`, the way back to their second factor.
    Across,
}

/// The part of a product that a group of threads makes, step by step along the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Rows and columns.
    pub(super) m: usize,
    pub(super) n: usize,
    /// Terms of the sum that are brought near at once.
    pub(super) k: usize,
    /// Rows and columns of a thread, multiples of 4.
    pub(super) each_m: usize,
    pub(super) each_n: usize,
}

impl Tile {
    /// For products with threads to spare.
    const LARGE: Self = Self { m: 128, n: 64, k: 16, each_m: 8, each_n: 8 };
    const SMALL: Self = Self { m: 64, n: 64, k: 16, each_m: 8, each_n: 4 };
    /// For few columns.
    const NARROW: Self = Self { m: 128, n: 16, k: 16, each_m: 8, each_n: 4 };
    /// For few rows.
    const FLAT: Self = Self { m: 16, n: 128, k: 16, each_m: 4, each_n: 8 };

    /// Threads of a group.
    pub(super) fn threads(self) -> usize {
        (self.m / self.each_m) * (self.n / self.each_n)
    }

    /// Groups along rows and along columns.
    pub(super) fn groups(self, m: usize, n: usize) -> [usize; 2] {
        [m.div_ceil(self.m), n.div_ceil(self.n)]
    }
}

/// Groups that keep a large device busy.
const BUSY: usize = 512;
/// Terms that a part of a sum has at least.
const LEAST: usize = 128;

/// How a product `[m, k]·[k, n]` is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) tile: Tile,
    /// Parts of the sum, each by groups of its own, and the terms of each.
    pub(super) parts: usize,
    pub(super) span: usize,
}

impl Cut {
    pub(super) fn of(form: Form, [m, n, k]: [usize; 3]) -> Self {
        let tiles = |tile: Tile| tile.groups(m, n).iter().product::<usize>();
        let splits = form == Form::Weights;
        let tile = match () {
            () if n <= Tile::NARROW.n => Tile::NARROW,
            () if m <= Tile::FLAT.m => Tile::FLAT,
            () if tiles(Tile::LARGE) >= BUSY || (splits && k >= BUSY * LEAST / 2) => Tile::LARGE,
            () => Tile::SMALL,
        };
        let parts = match splits {
            true => (BUSY / tiles(tile).max(1)).clamp(1, (k / LEAST).max(1)),
            false => 1,
        };
        let span = k.div_ceil(parts).next_multiple_of(tile.k).max(tile.k);
        Self { tile, parts: k.div_ceil(span).max(1), span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_what_they_bring_near_without_a_rest() {
        for tile in [Tile::LARGE, Tile::SMALL, Tile::NARROW, Tile::FLAT] {
            for side in [tile.m, tile.n] {
                assert_eq!((tile.k * side / 4) % tile.threads(), 0, "{tile:?}");
            }
            assert!(tile.each_m % 4 == 0 && tile.each_n % 4 == 0 && tile.threads() <= 256, "{tile:?}");
            // What every WebGPU device has.
            assert!(tile.k * (tile.m / 4 + 1 + tile.n / 4 + 1) * 16 <= 16_384, "{tile:?}");
        }
    }

    #[test]
    fn parts_cover_the_sum_and_none_is_empty() {
        for rows in [0, 1, 15, 16, 127, 128, 512, 1000, 4096, 65_536, 65_537, 300_001] {
            for [inputs, outputs] in [[1, 1], [430, 400], [14, 8], [2000, 3]] {
                let cut = Cut::of(Form::Weights, [inputs, outputs, rows]);
                assert!(cut.parts * cut.span >= rows && (rows == 0 || (cut.parts - 1) * cut.span < rows), "{cut:?}");
                assert_eq!(cut.span % cut.tile.k, 0, "{cut:?}");
            }
        }
        assert_eq!(Cut::of(Form::Weights, [430, 400, 4096]).parts, 10);
        assert_eq!(Cut::of(Form::Forward, [65_536, 400, 429]).tile, Tile::LARGE);
        assert_eq!(Cut::of(Form::Forward, [4096, 1, 400]).tile, Tile::NARROW);
    }
}
