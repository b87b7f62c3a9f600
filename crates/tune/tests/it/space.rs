//! Ranges contain what they say, and nothing else.

use trainyard_tune::{Distribution, Error, Parameter, Space, Value, When};

#[test]
fn bounds_that_make_no_range_are_refused() {
    for (made, error) in [
        (Distribution::float(1.0, 0.0, false, None), Error::Inverted),
        (Distribution::float(0.0, 1.0, true, None), Error::LogOfZero),
        (Distribution::float(1.0, 2.0, true, Some(0.5)), Error::LogWithStep),
        (Distribution::float(1.0, 2.0, false, Some(0.0)), Error::Step),
        (Distribution::float(1.0, 2.0, false, Some(f64::NAN)), Error::Step),
        (Distribution::float(0.01, 0.3, false, Some(1e-300)), Error::Step),
        (Distribution::float(0.01, 0.3, false, Some(1e-310)), Error::Step),
        (Distribution::float(f64::NAN, 2.0, false, None), Error::Endless),
        (Distribution::float(f64::MIN, f64::MAX, false, None), Error::Endless),
        (Distribution::int(2, 1, false, 1), Error::Inverted),
        (Distribution::int(0, 1, true, 1), Error::LogOfZero),
        (Distribution::int(1, 9, true, 2), Error::LogWithStep),
        (Distribution::int(1, 9, false, 0), Error::Step),
        (Distribution::int(0, i64::MAX, false, 1), Error::Endless),
        (Distribution::categorical(vec![]), Error::NoChoices),
        (Distribution::categorical(vec![Value::Int(1), Value::Int(1)]), Error::ChoiceTwice("1".to_owned())),
    ] {
        assert_eq!(made, Err(error));
    }
}

#[test]
fn steps_reach_the_upper_bound_or_stop_before_it() {
    let tenths = Distribution::float(0.5, 1.0, false, Some(0.1)).unwrap();
    assert_eq!(tenths.count(), Some(6));
    assert!(matches!(tenths, Distribution::Float { high, .. } if (high - 1.0).abs() < 1e-12));
    // 0.09 and thirteen times 0.07 are a bit more than 1.
    let odd = Distribution::float(0.09, 1.0, false, Some(0.07)).unwrap();
    assert!(matches!(odd, Distribution::Float { high, .. } if high <= 1.0), "{odd:?}");
    assert!(odd.nth(13) <= 1.0 && odd.contains(odd.nth(13)) && odd.at(0.9999) <= 1.0);
    let threes = Distribution::int(1, 9, false, 3).unwrap();
    assert_eq!((0..3).map(|place| threes.nth(place)).collect::<Vec<_>>(), [1.0, 4.0, 7.0]);
    assert_eq!(threes.count(), Some(3));
    assert!(threes.contains(7.0) && !threes.contains(9.0) && !threes.contains(4.5));
}

#[test]
fn shares_give_every_value_and_nothing_else() {
    let distributions = [
        Distribution::float(-1.0, 2.0, false, None),
        Distribution::float(1e-5, 10.0, true, None),
        Distribution::float(0.5, 1.0, false, Some(0.1)),
        Distribution::int(-3, 9, false, 2),
        Distribution::int(1, 512, true, 1),
        Distribution::categorical(vec![Value::Null, Value::Bool(true), Value::Text("größe".to_owned())]),
        Distribution::float(3.0, 3.0, false, None),
    ];
    for distribution in distributions {
        let distribution = distribution.unwrap();
        let mut seen = Vec::new();
        for share in 0..10_000 {
            let value = distribution.at(f64::from(share) / 10_000.0);
            assert!(distribution.contains(value), "{distribution:?} {value}");
            assert_eq!(distribution.internal(&distribution.external(value)), Some(value));
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
        if let Some(count) = distribution.count().filter(|&count| count < 100) {
            assert_eq!(seen.len() as u64, count, "{distribution:?}");
        }
        assert_eq!(distribution.is_single(), seen.len() == 1);
    }
}

#[test]
fn a_parameter_exists_under_its_condition_alone() {
    let text = |text: &str| Value::Text(text.to_owned());
    let parameter = |name: &str, distribution: Result<Distribution, Error>, when| Parameter {
        name: name.to_owned(),
        distribution: distribution.unwrap(),
        when,
    };
    let learner = || Distribution::categorical(vec![text("trees"), text("line"), text("none")]);
    let depth = When { parent: 0, choices: vec![0] };
    let space = Space::new(vec![
        parameter("learner", learner(), None),
        parameter("depth", Distribution::int(1, 9, false, 1), Some(depth.clone())),
        parameter("rows", Distribution::float(0.1, 1.0, false, None), None),
        parameter("leaves", Distribution::int(2, 99, true, 1), Some(depth.clone())),
    ]);
    let space = space.unwrap();
    assert_eq!(
        space.groups().iter().map(|group| group.parameters.clone()).collect::<Vec<_>>(),
        [vec![0, 2], vec![1, 3]]
    );
    assert!(space.contains(&[Some(0.0), Some(3.0), Some(0.5), Some(31.0)]));
    assert!(space.contains(&[Some(1.0), None, Some(0.5), None]));
    assert!(!space.contains(&[Some(1.0), Some(3.0), Some(0.5), None]), "a value that does not exist");
    assert!(!space.contains(&[Some(0.0), None, Some(0.5), Some(31.0)]), "a value is missing");
    assert!(!space.contains(&[Some(0.0), Some(3.0), Some(2.0), Some(31.0)]), "a value outside");
    let filled = space.fill(|at, parameter| if at == 0 { 2.0 } else { parameter.distribution.at(0.0) });
    assert_eq!(filled, [Some(2.0), None, Some(0.1), None]);

    let twice = vec![parameter("a", learner(), None), parameter("a", learner(), None)];
    assert_eq!(Space::new(twice), Err(Error::NameTwice("a".to_owned())));
    for when in [
        When { parent: 1, choices: vec![0] },
        When { parent: 0, choices: vec![3] },
        When { parent: 0, choices: vec![] },
    ] {
        let made = Space::new(vec![parameter("a", learner(), None), parameter("b", learner(), Some(when))]);
        assert_eq!(made, Err(Error::Condition("b".to_owned())));
    }
}
