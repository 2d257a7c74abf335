#pragma once

namespace holdfast {

/// The text of job.schema.json, compiled in.
extern const char* const jobSchemaText;

} // namespace holdfast
