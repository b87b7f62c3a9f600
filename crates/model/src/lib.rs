//! What is promoted: fitted features, estimator and threshold as one value, and its folder
