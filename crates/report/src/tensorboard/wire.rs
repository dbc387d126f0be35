//! TensorBoard's event files, as far as scalars and histograms need: protocol buffers of `tensorflow.Event` within records that
//! carry their length and masked CRC-32C.

/// A message of protocol buffers that is being written.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut x: u64) {
        while x >= 0x80 {
            self.0.push(x as u8 | 0x80);
            x >>= 7;
        }
        self.0.push(x as u8);
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    pub(super) fn double(mut self, field: u64, x: f64) -> Self {
        self.key(field, 1);
        self.0.extend(x.to_le_bytes());
        self
    }

    pub(super) fn float(mut self, field: u64, x: f32) -> Self {
        self.key(field, 5);
        self.0.extend(x.to_le_bytes());
        self
    }

    pub(super) fn int(mut self, field: u64, x: u64) -> Self {
        self.key(field, 0);
        self.varint(x);
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(super) fn message(self, field: u64, inner: Self) -> Self {
        self.bytes(field, &inner.0)
    }

    /// A packed field.
    pub(super) fn doubles(self, field: u64, values: &[f64]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.bytes(field, &bytes)
    }
}

/// The checksum as the format wants it: CRC-32C, turned and moved.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A record of a file.
pub(super) fn record(out: &mut Vec<u8>, message: Message) {
    let length = (message.0.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(&message.0);
    out.extend(masked(&message.0).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_one_that_tensorboard_writes() {
        // The first record of every event file, `file_version = "brain.Event:2"` at time 0.
        let mut out = Vec::new();
        record(&mut out, Message::default().double(1, 0.0).bytes(3, b"brain.Event:2"));
        assert_eq!(&out[..8], &24u64.to_le_bytes());
        // CRC-32C of the eight bytes of the length 24, as TensorFlow writes it in every file of its own.
        assert_eq!(out[8..12], [0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(out.len(), 8 + 4 + 24 + 4);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn numbers_are_written_in_sevens_of_bits() {
        let message = Message::default().int(2, 300).float(2, 0.5);
        assert_eq!(message.0, [0x10, 0xac, 0x02, 0x15, 0, 0, 0, 0x3f]);
    }
}
