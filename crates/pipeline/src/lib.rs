//! When: the engine that plans, caches, journals and resumes, and the steps it runs
