//! What a project asks for: typed specs with origins, versions, schemas
