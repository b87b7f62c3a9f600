//! Row-wise SQL expressions: parsed, typed, evaluated with the same bits on one row and on a million
