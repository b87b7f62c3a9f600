//! Real tables as columns of doubles, and keyed synthetic ones.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use trainyard_judges::json_number;
use trainyard_learn::Matrix;
use trainyard_random::Key;

/// Python: lists the nodes of a tree as `dump_model` of LightGBM gives it, children after their parent.
pub(crate) const LIGHTGBM_NODES: &str = r#"
def nodes(root):
    flat = []
    def visit(node):
        at = len(flat)
        if "left_child" not in node:
            flat.append(dict(value=node["leaf_value"], rows=node.get("leaf_count", 1)))
            return at
        flat.append(dict(feature=node["split_feature"], rows=node["internal_count"], missing_left=node["default_left"]))
        if node["decision_type"] == "==":
            flat[at].update(set=[int(code) for code in node["threshold"].split("||")], missing_left=False)
        else:
            assert node["decision_type"] == "<="
            flat[at].update(threshold=node["threshold"])
        flat[at]["left"] = visit(node["left_child"])
        flat[at]["right"] = visit(node["right_child"])
        return at
    visit(root)
    return flat
"#;

/// Columns of doubles and a target.
pub(crate) struct Table {
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) targets: Vec<f64>,
}

impl Table {
    /// Reads the columns whose every cell is a number or empty; the target is 1 where it is `positive`, or a number.
    pub(crate) fn read(path: &Path, target: &str, positive: Option<&str>) -> Table {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the data is there");
        let names: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
        let number = |cell: &str| if cell.is_empty() { Some(f64::NAN) } else { cell.parse().ok() };
        let column = |index: usize| records.iter().map(|record| number(&record[index])).collect::<Option<Vec<f64>>>();
        let at = names.iter().position(|name| name == target).expect("the target is a column");
        let targets = match positive {
            Some(positive) => records.iter().map(|record| f64::from(u8::from(&record[at] == positive))).collect(),
            None => column(at).expect("a numeric target"),
        };
        let columns = (0..names.len()).filter(|&index| index != at).filter_map(column).collect();
        Table { columns, targets }
    }

    /// Reads as [`Table::read`] does; targets are the places of the sorted labels. `NA` is a missing cell.
    pub(crate) fn read_classes(path: &Path, target: &str) -> Table {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the data is there");
        let names: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
        let number = |cell: &str| if ["", "NA"].contains(&cell) { Some(f64::NAN) } else { cell.parse().ok() };
        let column = |index: usize| records.iter().map(|record| number(&record[index])).collect::<Option<Vec<f64>>>();
        let at = names.iter().position(|name| name == target).expect("the target is a column");
        let labels: BTreeSet<&str> = records.iter().map(|record| &record[at]).collect();
        let class = |record: &csv::StringRecord| labels.iter().take_while(|label| **label < &record[at]).count() as f64;
        Table {
            columns: (0..names.len()).filter(|&index| index != at).filter_map(column).collect(),
            targets: records.iter().map(class).collect(),
        }
    }

    /// Reads all columns: texts become codes in their order, `?` a missing cell; the target is 1 where it is
    /// `positive`. Gives the columns of codes, too.
    pub(crate) fn read_mixed(path: &Path, target: &str, positive: &str) -> (Table, Vec<usize>) {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the data is there");
        let names: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
        let at = names.iter().position(|name| name == target).expect("the target is a column");
        let (mut columns, mut categorical) = (Vec::new(), Vec::new());
        for index in (0..names.len()).filter(|index| *index != at) {
            let cells = || records.iter().map(|record| &record[index]);
            columns.push(cells().map(|cell| cell.parse().ok()).collect::<Option<Vec<f64>>>().unwrap_or_else(|| {
                categorical.push(columns.len());
                let known: BTreeSet<&str> = cells().filter(|cell| *cell != "?").collect();
                let known: Vec<&str> = known.into_iter().collect();
                cells().map(|cell| known.binary_search(&cell).map_or(f64::NAN, |code| code as f64)).collect()
            }));
        }
        let targets = records.iter().map(|record| f64::from(u8::from(&record[at] == positive))).collect();
        (Table { columns, targets }, categorical)
    }

    /// Reads a table of the shared data; `None` where that is absent.
    pub(crate) fn shared(path: &str, target: &str, positive: Option<&str>) -> Option<Table> {
        Some(Table::read(&trainyard_judges::shared(path)?, target, positive))
    }

    pub(crate) fn breast_cancer() -> Option<Table> {
        Table::shared("data/sklearn_tables/breast_cancer.csv", "target", Some("benign"))
    }

    pub(crate) fn german_credit() -> Option<Table> {
        Table::shared("data/german_credit/german_credit.csv", "class", Some("2"))
    }

    pub(crate) fn adult() -> Option<Table> {
        Table::shared("data/adult/adult.csv", "income", Some(">50K"))
    }

    pub(crate) fn wine() -> Option<Table> {
        let path = trainyard_judges::shared("data/sklearn_tables/wine.csv")?;
        Some(Table::read_classes(&path, "target"))
    }

    pub(crate) fn penguins() -> Option<Table> {
        let path = trainyard_judges::shared("data/penguins/penguins.csv")?;
        Some(Table::read_classes(&path, "species"))
    }

    pub(crate) fn diabetes() -> Option<Table> {
        Table::shared("data/sklearn_tables/diabetes.csv", "target", None)
    }

    pub(crate) fn california_housing() -> Option<Table> {
        Table::shared("data/california_housing/housing.csv", "median_house_value", None)
    }

    /// Makes a table of uniform columns, every third with missing cells; targets are 0 or 1.
    pub(crate) fn synthetic(rows: usize, columns: usize, seed: u64) -> Table {
        let key = Key::new(seed, "learn/tests");
        let cell = |row: usize, column: usize| {
            let key = key.derive(column as u64);
            if column % 3 == 2 && key.uniform(1 << 40 | row as u64) < 0.1 { f64::NAN } else { key.uniform(row as u64) }
        };
        let columns: Vec<Vec<f64>> =
            (0..columns).map(|column| (0..rows).map(|row| cell(row, column)).collect()).collect();
        let score = |row: usize| columns[0][row] + 0.5 * columns[1][row] + 0.3 * key.uniform(row as u64);
        let targets = (0..rows).map(|row| f64::from(u8::from(score(row) > 0.9))).collect();
        Table { columns, targets }
    }

    pub(crate) fn rows(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix::of(&self.columns, self.rows())
    }

    /// Takes the rows where `keep` holds.
    pub(crate) fn filter(&self, keep: impl Fn(usize) -> bool) -> Table {
        let take = |values: &Vec<f64>| -> Vec<f64> {
            values.iter().enumerate().filter(|(row, _)| keep(*row)).map(|(_, value)| *value).collect()
        };
        Table { columns: self.columns.iter().map(take).collect(), targets: take(&self.targets) }
    }

    /// Drops the rows that have missing cells.
    pub(crate) fn filter_complete_rows(&self) -> Table {
        self.filter(|row| self.columns.iter().all(|column| column[row].is_finite()))
    }

    /// Drops the columns that have missing cells.
    pub(crate) fn complete(mut self) -> Table {
        self.columns.retain(|column| column.iter().all(|value| value.is_finite()));
        self
    }

    pub(crate) fn row(&self, row: usize) -> Vec<f64> {
        self.columns.iter().map(|column| column[row]).collect()
    }
}

/// Writes numbers so that a judge reads them back exactly.
pub(crate) fn json(values: &[f64]) -> Value {
    values.iter().map(|&value| json_number(value)).collect()
}

/// Writes columns so that a judge reads them back exactly.
pub(crate) fn json_columns(columns: &[Vec<f64>]) -> Value {
    columns.iter().map(|column| json(column)).collect()
}

/// Runs `work` on a pool of `threads`.
pub(crate) fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(work)
}
