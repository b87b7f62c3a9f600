//! Protocol Buffers, as far as ONNX needs them: a message is written field by field, in the order of the calls.
//!
//! The wire format is that of <https://protobuf.dev/programming-guides/encoding/>.

/// A message that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

impl Message {
    /// Writes an `int64`, `int32` or enum.
    pub(super) fn integer(mut self, field: u64, value: i64) -> Message {
        self.varint(field << 3 | VARINT);
        self.varint(value as u64);
        self
    }

    /// Writes a `string`.
    pub(super) fn text(self, field: u64, value: &str) -> Message {
        self.bytes(field, value.as_bytes())
    }

    /// Writes `bytes`.
    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Message {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Writes a message inside this one.
    pub(super) fn message(self, field: u64, value: &Message) -> Message {
        self.bytes(field, &value.0)
    }

    /// Writes one message after another under the same field.
    pub(super) fn messages<'a>(self, field: u64, values: impl IntoIterator<Item = &'a Message>) -> Message {
        values.into_iter().fold(self, |message, value| message.message(field, value))
    }

    /// Writes a `repeated string`.
    pub(super) fn texts<'a>(self, field: u64, values: impl IntoIterator<Item = &'a str>) -> Message {
        values.into_iter().fold(self, |message, value| message.text(field, value))
    }

    /// Writes a `repeated int64`, packed.
    pub(super) fn integers(self, field: u64, values: &[i64]) -> Message {
        let mut packed = Message::default();
        values.iter().for_each(|value| packed.varint(*value as u64));
        self.message(field, &packed)
    }

    /// Gives the message's bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_documentation() {
        assert_eq!(Message::default().integer(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").into_bytes(), b"\x12\x07testing");
        let inner = Message::default().integer(1, 150);
        assert_eq!(Message::default().message(3, &inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(
            Message::default().integers(6, &[3, 270, 86942]).into_bytes(),
            [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]
        );
        let minus_two = [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Message::default().integer(1, -2).into_bytes(), minus_two);
    }
}
