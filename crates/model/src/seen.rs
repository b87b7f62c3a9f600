//! The rows that a model has seen, as digests.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use trainyard_data::rows::{self, RowDigest};

const MAGIC: &[u8; 8] = b"TYSEEN\x00\x01";

/// Knows the digests of all rows that fitted, tuned or thresholded a model, or chose it, and of which columns they are.
///
/// A row counts as seen when its key or its content was, so that neither a changed cell nor a changed key lets a row that
/// was trained on judge the model. A column that the data gets later changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenRows {
    key: Option<String>,
    /// All columns but the key, sorted.
    columns: Vec<String>,
    keys: Vec<u64>,
    contents: Vec<u64>,
}

impl SeenRows {
    /// Collects rows of `table`, in any order; `key` is the column that identified them.
    pub fn new(table: &Schema, key: Option<&str>, rows: impl IntoIterator<Item = RowDigest>) -> SeenRows {
        let names = table.fields().iter().map(|field| field.name().clone());
        let mut columns: Vec<String> = names.filter(|name| Some(name.as_str()) != key).collect();
        columns.sort_unstable();
        let (keys, contents) = rows.into_iter().map(|row| (row.key, row.content)).unzip();
        SeenRows { key: key.map(str::to_owned), columns, keys: sorted(keys), contents: sorted(contents) }
    }

    /// Adds rows of a table with the same columns.
    pub(crate) fn and(mut self, rows: impl IntoIterator<Item = RowDigest>) -> SeenRows {
        for row in rows {
            self.keys.push(row.key);
            self.contents.push(row.content);
        }
        SeenRows { keys: sorted(self.keys), contents: sorted(self.contents), ..self }
    }

    /// Says of every row of a table whether the model has seen it.
    ///
    /// # Errors
    /// The columns that the table lacks, when neither key nor content can be told without them.
    pub fn in_table(&self, table: &RecordBatch) -> Result<Vec<bool>, Vec<String>> {
        let schema = table.schema();
        let has = |name: &String| schema.column_with_name(name).is_some();
        let missing: Vec<String> = self.columns.iter().filter(|name| !has(name)).cloned().collect();
        let key = self.key.as_ref().filter(|key| has(key)).map(String::as_str);
        if !missing.is_empty() && key.is_none() {
            return Err(missing);
        }
        let content: &[String] = if missing.is_empty() { &self.columns } else { &[] };
        let wanted = content.iter().map(String::as_str).chain(key);
        let places: Vec<usize> = wanted.filter_map(|name| Some(schema.column_with_name(name)?.0)).collect();
        let table = table.project(&places).map_err(|_| missing.clone())?;
        let digests = rows::digests(&table, key);
        let is_seen = |row: &RowDigest| {
            let by_key = key.is_some() && self.keys.binary_search(&row.key).is_ok();
            by_key || (missing.is_empty() && self.contents.binary_search(&row.content).is_ok())
        };
        Ok(digests.iter().map(is_seen).collect())
    }

    /// Gives the number of distinct keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.contents.is_empty()
    }

    /// Writes a mark, the columns' names as JSON filled up to a multiple of 8 bytes, both counts, then both sorted lists
    /// of digests; numbers are little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut names = serde_json::json!([self.key, self.columns]).to_string();
        names.push_str(&" ".repeat(names.len().next_multiple_of(8) - names.len()));
        let mut bytes = MAGIC.to_vec();
        bytes.extend((names.len() as u64).to_le_bytes());
        bytes.extend(names.as_bytes());
        let counts = [self.keys.len() as u64, self.contents.len() as u64];
        let numbers = counts.iter().chain(&self.keys).chain(&self.contents);
        bytes.extend(numbers.flat_map(|number| number.to_le_bytes()));
        bytes
    }

    /// Reads what [`SeenRows::to_bytes`] wrote; says what is wrong with anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<SeenRows, &'static str> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as such a file does")?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or("it is cut off")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "its length is not the one it states")?;
        let (names, numbers) = rest.split_at_checked(length).ok_or("it is cut off")?;
        let (key, columns): (Option<String>, Vec<String>) =
            serde_json::from_slice(names).map_err(|_| "its columns can't be read")?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let (Some(keys), Some(contents)) = (numbers.next(), numbers.next()) else { return Err("it is cut off") };
        if !rest.is_empty() || keys.checked_add(contents) != Some(numbers.len() as u64) {
            return Err("its length is not the one it states");
        }
        let keys: Vec<u64> = numbers.by_ref().take(keys as usize).collect();
        let contents: Vec<u64> = numbers.collect();
        let is_sorted = |list: &[u64]| list.windows(2).all(|pair| pair[0] < pair[1]);
        if is_sorted(&keys) && is_sorted(&contents) && columns.is_sorted() {
            Ok(SeenRows { key, columns, keys, contents })
        } else {
            Err("its digests are not in order")
        }
    }
}

fn sorted(mut list: Vec<u64>) -> Vec<u64> {
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    fn table(columns: &[(&str, &[i64])]) -> RecordBatch {
        let arrays =
            columns.iter().map(|(name, values)| (*name, Arc::new(Int64Array::from(values.to_vec())) as ArrayRef));
        RecordBatch::try_from_iter(arrays).unwrap()
    }

    fn seen(table: &RecordBatch, key: Option<&str>) -> SeenRows {
        SeenRows::new(&table.schema(), key, rows::digests(table, key))
    }

    #[test]
    fn key_or_content_is_enough() {
        let known = seen(&table(&[("id", &[1, 2]), ("x", &[10, 20])]), Some("id"));
        let asked = table(&[("id", &[1, 9, 9]), ("x", &[99, 20, 99])]);
        assert_eq!(known.in_table(&asked), Ok(vec![true, true, false]));
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn columns_that_came_later_change_nothing() {
        for key in [Some("id"), None] {
            let known = seen(&table(&[("id", &[1, 2]), ("x", &[10, 20])]), key);
            let asked = table(&[("new", &[7, 7, 7]), ("x", &[10, 20, 30]), ("id", &[1, 2, 3])]);
            assert_eq!(known.in_table(&asked), Ok(vec![true, true, false]), "{key:?}");
        }
    }

    #[test]
    fn columns_that_went_leave_the_key_or_nothing() {
        let before = table(&[("id", &[1, 2]), ("x", &[10, 20]), ("y", &[0, 1])]);
        let after = table(&[("id", &[1, 3]), ("x", &[10, 30])]);
        assert_eq!(seen(&before, Some("id")).in_table(&after), Ok(vec![true, false]));
        assert_eq!(seen(&before, None).in_table(&after), Err(vec!["y".to_owned()]));
        let without_key = table(&[("x", &[10, 30]), ("y", &[0, 0])]);
        assert_eq!(seen(&before, Some("id")).in_table(&without_key), Ok(vec![true, false]));
    }

    #[test]
    fn every_cut_and_flip_is_noticed_or_harmless() {
        let ids: Vec<i64> = (0..5).collect();
        let seen = seen(&table(&[("id", &ids), ("x", &ids)]), Some("id"));
        let bytes = seen.to_bytes();
        assert_eq!(SeenRows::from_bytes(&bytes), Ok(seen.clone()));
        for length in 0..bytes.len() {
            assert!(SeenRows::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            assert_ne!(SeenRows::from_bytes(&flipped), Ok(seen.clone()), "flipped {at}");
        }
    }
}
