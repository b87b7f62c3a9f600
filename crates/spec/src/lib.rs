//! What a project asks for: typed specs with origins, versions, schemas.
//!
//! [`resolve`] takes the texts of a project's files and gives a [`Resolved`] configuration or all that is wrong with it.
//! No file, clock, variable of the environment or random number is read here.

mod calibrate;
mod data;
mod declare;
mod drift;
mod error;
mod estimator;
mod evaluate;
mod external;
mod features;
mod gates;
mod image;
mod kept_schema;
mod lock;
mod metric;
mod model;
mod name;
mod origin;
mod policy;
mod project;
mod promote;
mod record;
mod resolve;
pub mod schema;
mod source;
mod split;
mod tree;
mod tune;
mod validate;
mod versioning;

pub use calibrate::{CalibrateSpec, CalibrationMethod, CalibrationRows, ThresholdSpec};
pub use data::{ColumnType, DataSpec, DecimalMark, MissingTarget, Quote, TargetSpec, Task};
pub use declare::Spot;
pub use drift::{Against, DriftDecides, DriftSpec, DriftTest, DriftTests, DriftThresholds, OnDrift};
pub use error::Error;
pub use estimator::{
    BoostingSpec, ClassWeight, ElasticNetSpec, EstimatorSpec, ForestSpec, GrowPolicy, LassoSpec, LogisticSpec, Loss,
    MaxFeatures, Monotonic, Penalty,
};
pub use evaluate::{EvaluateSpec, SliceSpec};
pub use external::{LightgbmDevice, LightgbmSpec, TreeMethod, XgboostDevice, XgboostSpec};
pub use features::{
    BinStrategy, BinsSpec, CategoricalEncode, CategoricalImpute, Encode, FeatureSpec, Group, Impute, Norm, Scale,
    Smooth, TargetEncoding, TextFrequency, TfidfSpec,
};
pub use gates::{Bound, Gate, Gates};
pub use image::{ColorMode, ImageSpec, Pixels};
pub use kept_schema::KeptSchema;
pub use lock::{Lock, ReferenceLock, SplitLock, VersionLock};
pub use metric::{MetricInfo, metric_higher_is_better, metric_reference, metrics};
pub use model::{CrossValidation, ExplainSpec, ModelSpec, Refit};
pub use origin::{Located, Origin};
pub use policy::Policy;
pub use project::{Active, Project, TrackingSpec};
pub use promote::{PromoteSpec, Stage, When};
pub use resolve::{
    Choice, Part, Resolved, SpecFiles, Status, UsedText, Versioned, resolve, resolve_beside, sound_parts,
};
pub use source::{Address, ObjectAddress, Parameter, PostgresAddress, Rows, SourceSpec, SslMode, Store, names_rows};
pub use split::{Shares, SplitSpec, TimeSpec};
pub use tree::Difference;
pub use tune::{
    Condition, Enqueued, Range, SearchPruner, SearchRange, SearchSampler, SearchedCandidate, StopSpec, TuneSpec,
    ValidationStrategy, WarmStart,
};
pub use validate::ValidateSpec;
pub use versioning::{DataLink, VersioningSpec};
