//! Customers of a telephone company, some of whom leave.
//!
//! The truth: a customer leaves with the probability `1 / (1 + exp(-z))`, where `z` is the sum of the terms in
//! [`Customer::log_odds`]. Contract, tenure, the kind of internet service and the way of paying carry most of it, and
//! months times charges of a fibre customer on a monthly contract are an interaction that no single column shows.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use rayon::prelude::*;
use trainyard_random::Key;

use super::{Draws, table};

const ADD_ONS: [&str; 6] =
    ["OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies"];

/// One customer.
struct Customer {
    id: String,
    gender: &'static str,
    senior: bool,
    partner: bool,
    dependents: bool,
    tenure: i64,
    phone: bool,
    lines: &'static str,
    internet: &'static str,
    add_ons: [&'static str; 6],
    contract: &'static str,
    paperless: bool,
    payment: &'static str,
    monthly: f64,
    total: Option<f64>,
    churn: bool,
}

impl Customer {
    fn make(family: &Key, row: u64) -> Customer {
        let mut draws = Draws::of(family, row);
        let senior = draws.chance(0.162);
        let partner = draws.chance(0.483);
        let dependents = draws.chance(if partner { 0.52 } else { 0.09 });
        let contract = draws.pick(&[("Month-to-month", 0.55), ("One year", 0.21), ("Two year", 0.24)]);
        // Long contracts are held by those who stayed; a few are new.
        let tenure = match contract {
            "Month-to-month" => 72.0 * draws.uniform() * draws.uniform().sqrt() * 0.75,
            "One year" => 72.0 * (0.1 + 0.9 * draws.uniform().sqrt()) * 0.88,
            _ => 72.0 * (1.0 - 0.75 * draws.uniform() * draws.uniform()),
        };
        let tenure = if draws.chance(0.0015) { 0 } else { (tenure.round() as i64).clamp(1, 72) };
        let phone = draws.chance(0.903);
        let internet = draws.pick(&[("Fiber optic", 0.44), ("DSL", 0.344), ("No", 0.216)]);
        let lines = match phone {
            false => "No phone service",
            true if draws.chance(0.36 + 0.003 * tenure as f64) => "Yes",
            true => "No",
        };
        let mut add_ons = ["No internet service"; 6];
        if internet != "No" {
            for (at, add_on) in add_ons.iter_mut().enumerate() {
                let base = if at < 4 { 0.22 } else { 0.36 };
                *add_on = if draws.chance(base + 0.005 * tenure as f64) { "Yes" } else { "No" };
            }
        }
        let paperless = draws.chance(if internet == "Fiber optic" { 0.72 } else { 0.5 });
        let payment = draws.pick(&[
            ("Electronic check", 0.336),
            ("Mailed check", 0.229),
            ("Bank transfer (automatic)", 0.219),
            ("Credit card (automatic)", 0.216),
        ]);
        let service = match internet {
            "Fiber optic" => 50.0,
            "DSL" => 25.0,
            _ => 0.0,
        };
        let extras = add_ons.iter().enumerate().filter(|(_, add_on)| **add_on == "Yes");
        let extras: f64 = extras.map(|(at, _)| if at < 4 { 5.0 } else { 10.0 }).sum();
        let calls = if phone { 20.0 } else { 0.0 } + if lines == "Yes" { 5.0 } else { 0.0 };
        let monthly = cents((service + extras + calls + 0.8 * draws.normal()).max(18.25));
        let total = (tenure > 0)
            .then(|| cents(monthly * tenure as f64 * (1.0 + 0.04 * draws.normal() / (tenure as f64).sqrt())));
        let gender = if draws.chance(0.495) { "Female" } else { "Male" };
        let mut customer = Customer {
            id: identifier(family, row),
            gender,
            senior,
            partner,
            dependents,
            tenure,
            phone,
            lines,
            internet,
            add_ons,
            contract,
            paperless,
            payment,
            monthly,
            total: total.map(|total| total.max(monthly)),
            churn: false,
        };
        customer.churn = draws.chance(1.0 / (1.0 + libm::exp(-customer.log_odds())));
        customer
    }

    /// The truth: the log-odds that this customer leaves.
    fn log_odds(&self) -> f64 {
        let monthly_contract = self.contract == "Month-to-month";
        let fiber = self.internet == "Fiber optic";
        let contract = match self.contract {
            "Month-to-month" => 0.0,
            "One year" => -1.1,
            _ => -2.1,
        };
        let internet = match self.internet {
            "Fiber optic" => 0.75,
            "DSL" => 0.0,
            _ => -0.9,
        };
        let payment = if self.payment == "Electronic check" { 0.45 } else { 0.0 };
        let protected = [0, 3].into_iter().filter(|at| self.add_ons[*at] == "Yes").count() as f64;
        let new = libm::exp(-(self.tenure as f64) / 14.0);
        let dear_and_free = if monthly_contract && fiber && self.monthly > 85.0 { 0.45 } else { 0.0 };
        INTERCEPT + contract + internet + payment + dear_and_free + 1.9 * new
            - 0.012 * self.tenure as f64
            - 0.42 * protected
            + if self.senior { 0.25 } else { 0.0 }
            + if self.paperless { 0.3 } else { 0.0 }
            - if self.dependents { 0.2 } else { 0.0 }
    }
}

/// Brings the share of those who leave to 26.5 %.
const INTERCEPT: f64 = -1.18;

fn cents(amount: f64) -> f64 {
    (amount * 20.0).round() / 20.0
}

/// Gives each row its own identifier of the form 1234-ABCDE: a permutation of all of them, shifted by the seed.
fn identifier(family: &Key, row: u64) -> String {
    const ALL: u64 = 10_000 * 26u64.pow(5);
    const STEP: u128 = 73_687_871_111;
    let at = (u128::from(row) * STEP + u128::from(family.at(u64::MAX) % ALL)) % u128::from(ALL);
    let at = at as u64;
    let mut letters = at / 10_000;
    let mut text = format!("{:04}-", at % 10_000);
    for _ in 0..5 {
        text.push(char::from(b'A' + (letters % 26) as u8));
        letters /= 26;
    }
    text
}

/// Makes `rows` customers: 21 columns, 26.5 % of them leave; `TotalCharges` is missing at tenure 0.
pub fn churn(rows: u64, seed: u64) -> RecordBatch {
    let family = Key::new(seed, "synth/churn");
    let customers: Vec<Customer> = (0..rows).into_par_iter().map(|row| Customer::make(&family, row)).collect();
    let text = |value: fn(&Customer) -> &str| -> ArrayRef {
        Arc::new(customers.iter().map(|customer| Some(value(customer))).collect::<LargeStringArray>())
    };
    fn yes_no(yes: bool) -> &'static str {
        if yes { "Yes" } else { "No" }
    }
    let integer = |value: fn(&Customer) -> i64| -> ArrayRef {
        Arc::new(customers.iter().map(|customer| Some(value(customer))).collect::<Int64Array>())
    };
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("customerID".to_owned(), text(|customer| &customer.id)),
        ("gender".to_owned(), text(|customer| customer.gender)),
        ("SeniorCitizen".to_owned(), integer(|customer| i64::from(customer.senior))),
        ("Partner".to_owned(), text(|customer| yes_no(customer.partner))),
        ("Dependents".to_owned(), text(|customer| yes_no(customer.dependents))),
        ("tenure".to_owned(), integer(|customer| customer.tenure)),
        ("PhoneService".to_owned(), text(|customer| yes_no(customer.phone))),
        ("MultipleLines".to_owned(), text(|customer| customer.lines)),
        ("InternetService".to_owned(), text(|customer| customer.internet)),
    ];
    for (at, name) in ADD_ONS.iter().enumerate() {
        let values: LargeStringArray = customers.iter().map(|customer| Some(customer.add_ons[at])).collect();
        columns.push(((*name).to_owned(), Arc::new(values)));
    }
    columns.extend([
        ("Contract".to_owned(), text(|customer| customer.contract)),
        ("PaperlessBilling".to_owned(), text(|customer| yes_no(customer.paperless))),
        ("PaymentMethod".to_owned(), text(|customer| customer.payment)),
        (
            "MonthlyCharges".to_owned(),
            Arc::new(customers.iter().map(|customer| Some(customer.monthly)).collect::<Float64Array>()) as ArrayRef,
        ),
        (
            "TotalCharges".to_owned(),
            Arc::new(customers.iter().map(|customer| customer.total).collect::<Float64Array>()) as ArrayRef,
        ),
        ("Churn".to_owned(), text(|customer| yes_no(customer.churn))),
    ]);
    table(columns)
}
