//! Bicycles rented in each hour of a city's scheme, which grows from year to year.
//!
//! The truth: the rentals of an hour are drawn around `exp(z)`, where `z` is the sum of the terms in [`Hour::log_mean`].
//! The hour of the day counts most, in one shape on working days and in another on free ones; warmth, rain, humidity and
//! wind follow, and a steady growth makes the future unlike the past, so that only a split by time tells how a model will
//! do.

use std::f64::consts::TAU;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch};
use chrono::{Datelike, NaiveDate, TimeDelta};
use rayon::prelude::*;
use trainyard_random::Key;

use super::{Draws, table};

const HOURS: u64 = 24;
/// The days from 1970-01-01 to 2011-01-01, when the scheme begins.
const FIRST_DAY: i64 = 14_975;
/// Days off beside weekends, as month and day.
const HOLIDAYS: [(u32, u32); 5] = [(1, 1), (5, 1), (7, 4), (11, 11), (12, 25)];

/// One hour.
struct Hour {
    number: i64,
    date: NaiveDate,
    hour: i64,
    /// 1 clear, 2 cloudy, 3 wet.
    weather: i64,
    /// In degrees Celsius, between -8 and 39.
    celsius: f64,
    humidity: f64,
    wind: f64,
    casual: i64,
    registered: i64,
}

impl Hour {
    fn make(family: &Key, row: u64) -> Hour {
        let (day, hour) = ((row / HOURS) as i64, (row % HOURS) as i64);
        // One weather for the hours of a day, from draws that they share.
        let mut of_day = Draws::of(&family.derive(1), row / HOURS);
        let sky = of_day.uniform();
        let (warmer, damper) = (of_day.normal(), of_day.normal());
        let mut draws = Draws::of(&family.derive(0), row);
        let weather = match sky + 0.1 * draws.normal() {
            sky if sky < 0.64 => 1,
            sky if sky < 0.91 => 2,
            _ => 3,
        };
        let date = NaiveDate::default() + TimeDelta::days(FIRST_DAY + day);
        let year = f64::from(date.ordinal0()) / 365.25;
        let celsius = 15.0 - 12.0 * libm::cos(TAU * (year - 0.055)) - 3.0 * libm::cos(TAU * (hour as f64 - 3.0) / 24.0)
            + 3.0 * warmer
            + 0.5 * draws.normal();
        let humidity = 0.55 + 0.1 * damper + 0.1 * (weather - 1) as f64 + 0.05 * draws.normal();
        let mut made = Hour {
            number: row as i64 + 1,
            date,
            hour,
            weather,
            celsius: celsius.clamp(-8.0, 39.0),
            humidity: humidity.clamp(0.1, 1.0),
            wind: (0.19 + 0.12 * draws.normal()).clamp(0.0, 0.85),
            casual: 0,
            registered: 0,
        };
        let mean = libm::exp(made.log_mean());
        let rentals = (mean * libm::exp(0.2 * draws.normal()) + mean.sqrt() * draws.normal()).round().max(1.0);
        let free = if made.works() { 0.14 } else { 0.32 };
        made.casual = (rentals * free * (1.0 + 0.2 * draws.normal()).clamp(0.0, 2.0)).round() as i64;
        made.registered = rentals as i64 - made.casual;
        made
    }

    fn is_holiday(&self) -> bool {
        HOLIDAYS.contains(&(self.date.month(), self.date.day()))
    }

    fn works(&self) -> bool {
        self.date.weekday().number_from_monday() <= 5 && !self.is_holiday()
    }

    /// The truth: the logarithm of the rentals that this hour draws around.
    fn log_mean(&self) -> f64 {
        let bell = |at: f64, width: f64| {
            let distance = (self.hour as f64 - at) / width;
            libm::exp(-distance * distance)
        };
        let hour = if self.works() {
            1.4 + 2.9 * bell(8.0, 1.5) + 3.2 * bell(17.5, 2.5) + 2.4 * bell(13.0, 4.0)
        } else {
            2.1 + 3.1 * bell(14.0, 5.0) + 0.9 * bell(21.0, 3.0)
        };
        let days = (self.number / HOURS as i64) as f64;
        hour.min(4.9) + 0.035 * self.celsius.min(27.0)
            - if self.weather == 3 { 0.6 } else { 0.0 }
            - 0.6 * (self.humidity - 0.5)
            - 0.5 * self.wind
            + 0.45 * days / 365.25
    }

    /// 1 winter to 4 autumn.
    fn season(&self) -> i64 {
        i64::from((self.date.ordinal0() + 11) / 91 % 4) + 1
    }
}

/// Makes the first `rows` hours from 2011-01-01 on, in the 17 columns of the bike sharing data set; `casual` and
/// `registered` add up to `cnt`, the number to predict.
pub fn bike(rows: u64, seed: u64) -> RecordBatch {
    let family = Key::new(seed, "synth/bike");
    let hours: Vec<Hour> = (0..rows).into_par_iter().map(|row| Hour::make(&family, row)).collect();
    let integer = |name: &str, value: fn(&Hour) -> i64| -> (String, ArrayRef) {
        (name.to_owned(), Arc::new(hours.iter().map(|hour| Some(value(hour))).collect::<Int64Array>()))
    };
    let float = |name: &str, value: fn(&Hour) -> f64| -> (String, ArrayRef) {
        let rounded = hours.iter().map(|hour| Some((value(hour) * 10_000.0).round() / 10_000.0));
        (name.to_owned(), Arc::new(rounded.collect::<Float64Array>()))
    };
    let days: Date32Array =
        hours.iter().map(|hour| Some((FIRST_DAY + (hour.number - 1) / HOURS as i64) as i32)).collect();
    table(vec![
        integer("instant", |hour| hour.number),
        ("dteday".to_owned(), Arc::new(days)),
        integer("season", Hour::season),
        integer("yr", |hour| i64::from(hour.date.year()) - 2011),
        integer("mnth", |hour| hour.date.month().into()),
        integer("hr", |hour| hour.hour),
        integer("holiday", |hour| hour.is_holiday().into()),
        integer("weekday", |hour| hour.date.weekday().num_days_from_sunday().into()),
        integer("workingday", |hour| hour.works().into()),
        integer("weathersit", |hour| hour.weather),
        float("temp", |hour| (hour.celsius + 8.0) / 47.0),
        float("atemp", |hour| ((hour.celsius - 8.0 * hour.wind + 16.0) / 66.0).max(0.0)),
        float("hum", |hour| hour.humidity),
        float("windspeed", |hour| hour.wind),
        integer("casual", |hour| hour.casual),
        integer("registered", |hour| hour.registered),
        integer("cnt", |hour| hour.casual + hour.registered),
    ])
}
