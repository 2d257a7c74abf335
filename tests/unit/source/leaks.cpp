/// libgit2 1.5 does not free the match data of a pattern that does not match, once for each key of a repository with
/// extensions (git_config_foreach_match). It is not ours to free.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpcre2\n"; }
