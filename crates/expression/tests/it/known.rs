//! Known answers, each worked out by hand or taken from the SQL standard.

use trainyard_expression::{Fault, Type, Value, functions};

use crate::support::{batch, bound, constant, table};

/// Each line holds an expression and, after an arrow, one that must give the same.
const ANSWERS: &str = "
1 + 2 * 3 → 7
(1 + 2) * 3 → 9
7 / 2 → 3.5
7 // 2 → 3
-7 // 2 → -3
-7 % 3 → -1
1 / 0 → CAST('inf' AS DOUBLE)
0 / 0 → CAST('nan' AS DOUBLE)
2 ^ 3 ^ 2 → 64.0
-2 ^ 2 → 4.0
2 * 3 ^ 2 → 18.0
'a' || 1 + 2 → 'a3'
'a' || NULL → CAST(NULL AS VARCHAR)
TRUE AND NULL → CAST(NULL AS BOOLEAN)
FALSE AND NULL → FALSE
TRUE OR NULL → TRUE
NOT NULL → CAST(NULL AS BOOLEAN)
NOT 1 = 2 → TRUE
NULL = NULL → CAST(NULL AS BOOLEAN)
NULL IS NULL → TRUE
1 IS NOT NULL → TRUE
1 NOTNULL → TRUE
(1 > 2) IS FALSE → TRUE
(NULL > 2) IS NOT TRUE → TRUE
(NULL > 2) IS UNKNOWN → TRUE
NULL IS DISTINCT FROM 1 → TRUE
NULL IS NOT DISTINCT FROM NULL → TRUE
1 IN (1, NULL) → TRUE
1 IN (2, NULL) → CAST(NULL AS BOOLEAN)
1 NOT IN (2, 3) → TRUE
1 IN (1.0, 2.5) → TRUE
1 BETWEEN 2 AND NULL → FALSE
1 NOT BETWEEN 2 AND 3 → TRUE
'b' BETWEEN 'a' AND 'c' → TRUE
CAST('nan' AS DOUBLE) = CAST('nan' AS DOUBLE) → TRUE
CAST('nan' AS DOUBLE) > CAST('inf' AS DOUBLE) → TRUE
-0.0 = 0.0 → TRUE
CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END → 'b'
CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END → 'b'
CASE 3 WHEN 1 THEN 'a' END → CAST(NULL AS VARCHAR)
CASE WHEN 1 < 2 THEN 1 ELSE 1 // 0 END → 1
CASE WHEN TRUE THEN 1 ELSE 2.5 END → 1.0
COALESCE(NULL, 1, 1 // 0) → 1
NULLIF(1, 1) → CAST(NULL AS BIGINT)
NULLIF(1, 1.0) → CAST(NULL AS BIGINT)
GREATEST(1, NULL, 2.5) → 2.5
LEAST('b', 'a') → 'a'
'hello' LIKE 'h_l%' → TRUE
'hello' NOT LIKE 'H%' → TRUE
'hello' ILIKE 'H%O' → TRUE
'10%' LIKE '10!%' ESCAPE '!' → TRUE
'100' LIKE '10!%' ESCAPE '!' → FALSE
'日本語' LIKE '_本_' → TRUE
'日本語' LIKE '%語' → TRUE
'a_b' LIKE 'a__' → TRUE
'' LIKE '%' → TRUE
'abcabd' LIKE '%abd' → TRUE
'aXbXc' LIKE '%X_' → TRUE
'%' LIKE '\\%' ESCAPE '\\' → TRUE
CAST('12' AS BIGINT) → 12
CAST('1.5' AS BIGINT) → 2
CAST('-2.5' AS BIGINT) → -3
CAST('1e3' AS BIGINT) → 1000
CAST('0x1F' AS BIGINT) → 31
CAST('1_000' AS BIGINT) → 1000
CAST(2.5 AS BIGINT) → 2
CAST(3.5 AS BIGINT) → 4
TRY_CAST('x' AS BIGINT) → CAST(NULL AS BIGINT)
TRY_CAST('1e30' AS BIGINT) → CAST(NULL AS BIGINT)
'5'::BIGINT + 1 → 6
CAST(1e15 AS VARCHAR) → '1000000000000000.0'
CAST(1e16 AS VARCHAR) → '1e+16'
CAST(0.0001 AS VARCHAR) → '0.0001'
CAST(0.00001 AS VARCHAR) → '1e-05'
CAST(TRUE AS VARCHAR) → 'true'
CAST('yes' AS BOOLEAN) → TRUE
CAST(DATE '2024-02-29' AS VARCHAR) → '2024-02-29'
CAST(TIMESTAMP '2024-02-29 12:30:15.25' AS VARCHAR) → '2024-02-29 12:30:15.25'
CAST('2024-02-29T12:30:15Z' AS TIMESTAMP) → TIMESTAMP '2024-02-29 12:30:15'
CAST('2024-02-29 24:00:00' AS TIMESTAMP) → TIMESTAMP '2024-03-01 00:00:00'
DATE '2024-02-29' + 1 → DATE '2024-03-01'
DATE '2024-03-01' - DATE '2024-02-01' → 29
DATE '2024-02-29' = '2024-02-29' → TRUE
DATE '2024-02-29' < TIMESTAMP '2024-02-29 00:00:01' → TRUE
DATE '2024-01-31' + INTERVAL 1 MONTH → TIMESTAMP '2024-02-29 00:00:00'
DATE '2024-03-31' - INTERVAL '1 month 2 days' → TIMESTAMP '2024-02-27 00:00:00'
TIMESTAMP '2024-01-01 23:00:00' + INTERVAL (1 + 1) HOUR → TIMESTAMP '2024-01-02 01:00:00'
EXTRACT(year FROM DATE '2024-02-29') → 2024
EXTRACT('dow' FROM DATE '2024-03-03') → 0
EXTRACT(epoch FROM DATE '1970-01-02') → 86400.0
EXTRACT(microsecond FROM TIMESTAMP '2024-01-01 00:00:01.5') → 1500000
POSITION('l' IN 'hello') → 3
SUBSTRING('hello' FROM 2 FOR 2) → 'el'
SUBSTRING('hello', -3, 2) → 'll'
TRIM(LEADING ' ' FROM '  a ') → 'a '
TRIM(BOTH 'x' FROM 'xxaxx') → 'a'
CEIL(1.2) → 2.0
FLOOR(-1) → -1.0
reverse('👨‍👩‍👧a') → 'a👨‍👩‍👧'
upper('straße') → 'STRAẞE'
regexp_replace('abc', '(b)(c)', '\\2\\1') → 'acb'
strftime(TIMESTAMP '2024-02-29 15:04:05', '%a %-d %b %y, %I:%M %p') → 'Thu 29 Feb 24, 03:04 PM'
strptime('29 feb 2024 3 pm', '%d %b %Y %I %p') → TIMESTAMP '2024-02-29 15:00:00'
9223372036854775807 → 9223372036854775807
-9223372036854775808 + 0 → -9223372036854775808
1_000 → 1000
'it''s' → 'it' || '''s'
$$it's$$ → 'it''s'
1 /* one */ + -- two
";

#[test]
fn known_answers_hold() {
    for line in ANSWERS.lines().filter(|line| line.contains('→')) {
        same(line);
    }
}

#[test]
fn every_example_of_the_guide_holds() {
    assert!(functions().len() > 80);
    for function in functions() {
        let ordered = function.signature.starts_with(function.name);
        assert!(ordered && function.summary.ends_with('.'), "{function:?}");
        if !function.name.starts_with("fitted_") {
            same(function.example);
        }
    }
    assert!(functions().is_sorted_by_key(|function| function.name));
}

/// Checks that both sides of an arrow give the same bits.
fn same(line: &str) {
    let (left, right) = line.split_once('→').unwrap_or_else(|| panic!("no arrow: {line}"));
    let (left, right) = (constant(left), constant(right));
    assert_eq!(left.unwrap_or_else(|error| panic!("{line}: {error}")), right.unwrap(), "{line}");
}

#[test]
fn faults_have_kinds() {
    let fault = |sql: &str| constant(sql).unwrap_err().fault;
    assert_eq!(
        fault("9223372036854775807 + 1"),
        Fault::Overflow { operation: "addition", operands: vec![i64::MAX, 1] }
    );
    assert_eq!(fault("1 // 0"), Fault::DivisionByZero);
    assert_eq!(fault("1 % 0"), Fault::DivisionByZero);
    assert_eq!(fault("1.5 // 0.0"), Fault::DivisionByZero);
    assert_eq!(fault("CAST('x' AS BIGINT)"), Fault::Cast { value: "x".to_owned(), to: Type::Integer });
    assert_eq!(fault("CAST(1e19 AS BIGINT)"), Fault::Cast { value: "1e+19".to_owned(), to: Type::Integer });
    assert_eq!(fault("make_date(2023, 2, 29)"), Fault::DateRange);
    assert_eq!(fault("DATE '5881580-07-10' + 1"), Fault::DateRange);
    assert!(matches!(fault("repeat('a', 1000000000000)"), Fault::Domain { function: "repeat", .. }));
    assert!(matches!(fault("lpad('a', 3, '')"), Fault::Domain { function: "lpad", .. }));
    assert!(matches!(fault("strptime('x', '%Y')"), Fault::Format { .. }));
}

#[test]
fn a_fault_names_its_row_and_its_part() {
    let values = ["1", "2", "x", "4"].map(|text| Value::Text(text.to_owned())).to_vec();
    let table = table(&[("a", Type::Text, values)]);
    let error = batch(&bound("1 + CAST(a AS BIGINT)", &table), &table).unwrap_err();
    assert_eq!((error.row, &error.sql[error.span.clone()]), (Some(2), "CAST(a AS BIGINT)"));
    // In a branch, the row is still that of the table.
    let lazy = bound("CASE WHEN a = '2' THEN 0 WHEN a <> '1' THEN CAST(a AS BIGINT) END", &table);
    assert_eq!(batch(&lazy, &table).unwrap_err().row, Some(2));
    let lazy = bound("coalesce(TRY_CAST(a AS BIGINT), CASE WHEN a = 'x' THEN 1 // 0 END)", &table);
    assert_eq!(batch(&lazy, &table).unwrap_err().row, Some(2));
}

#[test]
fn branches_run_only_for_their_rows() {
    let table = table(&[("a", Type::Integer, (-2..3).map(Value::Integer).collect())]);
    let values = batch(&bound("CASE WHEN a <> 0 THEN 6 // a END", &table), &table).unwrap();
    let expected = [Value::Integer(-3), Value::Integer(-6), Value::Null, Value::Integer(6), Value::Integer(3)];
    assert_eq!(values, expected);
}

#[test]
fn a_table_without_rows_gives_no_rows() {
    let table = table(&[("a", Type::Integer, vec![])]);
    assert_eq!(batch(&bound("a // 0", &table), &table).unwrap(), []);
    assert_eq!(batch(&bound("1 // 0", &table), &table).unwrap(), []);
}

#[test]
fn columns_match_exactly_then_in_any_case() {
    let one = |value: i64| vec![Value::Integer(value)];
    let table = table(&[
        ("Date Egg", Type::Integer, one(1)),
        ("x", Type::Integer, one(2)),
        ("X", Type::Integer, one(3)),
        ("Year", Type::Integer, one(4)),
        ("größe", Type::Integer, one(5)),
    ]);
    let value = |sql: &str| batch(&bound(sql, &table), &table).unwrap().remove(0);
    assert_eq!(value("\"Date Egg\" + 0"), Value::Integer(1));
    assert_eq!(value("\"DATE EGG\""), Value::Integer(1));
    assert_eq!(value("x"), Value::Integer(2));
    assert_eq!(value("X"), Value::Integer(3));
    assert_eq!(value("year"), Value::Integer(4));
    assert_eq!(value("GRÖßE + 0"), Value::Integer(5));
}

#[test]
fn values_survive_json() {
    let values = vec![
        Value::Null,
        Value::Boolean(true),
        Value::Integer(i64::MIN),
        Value::Float(f64::NAN),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(-0.0),
        Value::Float(0.1),
        Value::Float(5e-324),
        Value::Text("é\n".to_owned()),
        Value::Date(-1),
        Value::Timestamp(i64::MAX - 1),
    ];
    let json = serde_json::to_string(&values).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&json).unwrap(), values);
    assert!(json.contains(r#"{"float":0.1}"#), "{json}");
}
