#include "job/validation.hpp"

#include "job/document.hpp"
#include "job/schema.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

// valijson tells where a document fails, but not which keyword of the schema it failed. So every keyword and every rule
// becomes a small schema of its own, and this file only walks the document and the schema side by side.

namespace holdfast {

using nlohmann::json;

namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;
using Pointer = json::json_pointer;

/// If one of these fails, nothing else is asked of the value: std::regex recurses once a character, and the members of
/// a list that is too long would fill the report.
constexpr std::array gateKeywords{"type", "maxLength", "maxItems"};
constexpr std::array plainKeywords{"enum",    "minLength", "minimum",     "exclusiveMinimum",
                                   "maximum", "minItems",  "uniqueItems", "pattern"};

class CompiledSchema {
  public:
    explicit CompiledSchema(const json& schema) {
        valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(schema), *schema_);
    }
    bool accepts(const json& value, valijson::Validator& validator) const {
        return validator.validate(*schema_, Adapter(value), nullptr);
    }

  private:
    std::unique_ptr<valijson::Schema> schema_ = std::make_unique<valijson::Schema>();
};

/// One constraint, and what to say when it does not hold.
struct Rule {
    CompiledSchema schema;
    Pointer about; ///< from the value that is checked to the field that the problem is reported at
    std::string code;
    std::string message;
};

/// A member that an object must have.
struct Required {
    std::string name;
    std::string code;
    std::string message;
};

/// A part of the schema, made ready for checking.
struct Node {
    std::vector<Rule> gates;
    std::vector<Rule> rules;
    std::vector<Required> required;
    std::map<std::string, std::unique_ptr<Node>> members;
    bool closed = false; ///< it has no other members than these
    std::unique_ptr<Node> elements;
};

std::string typeName(const json& type) {
    static const std::map<std::string, std::string> names{{"string", "a string"},    {"boolean", "a boolean value"},
                                                          {"integer", "an integer"}, {"number", "a number"},
                                                          {"object", "an object"},   {"array", "an array"}};
    if (type.is_string()) return names.at(type.get<std::string>());
    std::vector<std::string> alternatives;
    for (const auto& one : type) alternatives.push_back(names.at(one.get<std::string>()));
    return fmt::format("{}", fmt::join(alternatives, " or "));
}

std::string limitText(const std::string& keyword, const json& limit) {
    if (keyword == "type") return typeName(limit);
    if (keyword == "enum") return fmt::format("{}", fmt::join(limit.get<std::vector<std::string>>(), ", "));
    return limit.dump();
}

/// Turns job.schema.json into nodes.
class Compiler {
  public:
    explicit Compiler(const json& root) : root_(root), wording_(root.at("x-rules")) {}

    std::unique_ptr<Node> compile(const json& written, const std::string& field) const {
        const json& schema = resolved(written);
        auto node = std::make_unique<Node>();
        for (const char* keyword : gateKeywords) addKeyword(node->gates, schema, keyword, field);
        for (const char* keyword : plainKeywords) addKeyword(node->rules, schema, keyword, field);
        for (const auto& rule : schema.value("allOf", json::array())) addRule(node->rules, rule);
        addMembers(*node, schema);
        if (schema.contains("items")) node->elements = compile(schema["items"], "each value in " + field);
        return node;
    }

  private:
    const json& resolved(const json& schema) const {
        const auto reference = schema.find("$ref");
        if (reference == schema.end()) return schema;
        return root_.at(Pointer(reference->get<std::string>().substr(1)));
    }

    template<typename... Arguments>
    std::string message(const std::string& keyword, Arguments&&... arguments) const {
        const auto text = wording_.at(keyword).at("message").get<std::string>();
        return fmt::format(fmt::runtime(text), std::forward<Arguments>(arguments)...);
    }
    std::string code(const std::string& keyword) const { return wording_.at(keyword).at("code").get<std::string>(); }

    void addKeyword(std::vector<Rule>& rules, const json& schema, const std::string& keyword,
                    const std::string& field) const {
        const auto limit = schema.find(keyword);
        if (limit == schema.end()) return;
        auto text = message(keyword, fmt::arg("field", field), fmt::arg("limit", limitText(keyword, *limit)));
        rules.push_back({CompiledSchema(json{{keyword, *limit}}), Pointer(), code(keyword), std::move(text)});
    }

    static void addRule(std::vector<Rule>& rules, const json& rule) {
        rules.push_back({CompiledSchema(rule), Pointer(rule.value("x-pointer", "")),
                         rule.at("x-code").get<std::string>(), rule.at("x-message").get<std::string>()});
    }

    void addMembers(Node& node, const json& schema) const {
        const auto members = schema.value("properties", json::object());
        for (const auto& [name, member] : members.items()) {
            node.members[name] = compile(member, name);
        }
        for (const auto& name : schema.value("required", std::vector<std::string>())) {
            node.required.push_back({name, code("required"), message("required", fmt::arg("name", name))});
        }
        node.closed = schema.contains("additionalProperties");
    }

    const json& root_;
    const json& wording_;
};

class SchemaChecker {
  public:
    SchemaChecker(const json& schema, const CompiledSchema& whole)
        : whole_(whole), root_(Compiler(schema).compile(schema, "A job")),
          unknownField_(schema.at("x-rules").at("additionalProperties")) {}

    std::vector<Problem> check(const json& document) {
        problems_.clear();
        found_ = 0;
        check(*root_, document, Pointer());
        // the library has the last word, so that a keyword that the walk does not know cannot be passed over
        if (found_ == 0 && !whole_.accepts(document, validator_)) {
            report(Pointer(), "schema", "The document does not match the schema of a job");
        }
        if (found_ > problems_.size()) {
            problems_.push_back({"", "too-many", fmt::format("There are {} more problems", found_ - problems_.size())});
        }
        return std::move(problems_);
    }

  private:
    void report(const Pointer& pointer, std::string code, std::string message) {
        if (++found_ <= maxProblems) {
            problems_.push_back({pointer.to_string(), std::move(code), std::move(message)});
        }
    }

    /// Whether all of them hold.
    bool check(const std::vector<Rule>& rules, const json& value, const Pointer& pointer) {
        bool hold = true;
        for (const auto& rule : rules) {
            if (rule.schema.accepts(value, validator_)) continue;
            hold = false;
            report(pointer / rule.about, rule.code, rule.message);
        }
        return hold;
    }

    void check(const Node& node, const json& value, const Pointer& pointer) {
        if (!check(node.gates, value, pointer)) return;
        check(node.rules, value, pointer);
        if (value.is_object()) checkMembers(node, value, pointer);
        if (value.is_array() && node.elements) {
            for (std::size_t i = 0; i < value.size(); ++i) check(*node.elements, value[i], pointer / i);
        }
    }

    void checkMembers(const Node& node, const json& object, const Pointer& pointer) {
        for (const auto& required : node.required) {
            if (!object.contains(required.name)) report(pointer / required.name, required.code, required.message);
        }
        for (const auto& [name, value] : object.items()) {
            const auto member = node.members.find(name);
            if (member != node.members.end()) {
                check(*member->second, value, pointer / name);
            } else if (node.closed) {
                report(pointer / name, unknownField_.at("code").get<std::string>(), unknownMessage(node, name));
            }
        }
    }

    std::string unknownMessage(const Node& node, const std::string& name) const {
        std::vector<std::string_view> known;
        for (const auto& [member, unused] : node.members) known.push_back(member);
        return fmt::format(fmt::runtime(unknownField_.at("message").get<std::string>()), fmt::arg("name", shown(name)),
                           fmt::arg("known", fmt::join(known, ", ")));
    }

    const CompiledSchema& whole_;
    std::unique_ptr<Node> root_;
    json unknownField_;
    valijson::Validator validator_; ///< keeps the regular expressions that it has compiled
    std::vector<Problem> problems_;
    std::size_t found_ = 0;
};

/// Whether the document can be shown to the library as a whole: it asks for patterns before it asks for lengths, and
/// std::regex recurses once a character. Only the walk asks in the order that a document from anybody needs.
bool isTame(const json& value) {
    constexpr std::size_t longest = 512;
    if (const auto* text = value.get_ptr<const std::string*>()) return text->size() <= longest;
    if (!value.is_structured()) return true;
    return value.size() <= longest && std::all_of(value.begin(), value.end(), isTame);
}

} // namespace

std::vector<Problem> checkAgainstSchema(const json& document) {
    static const CompiledSchema whole(json::parse(jobSchemaText));
    static valijson::Validator validator;
    // Of most documents there is nothing to say: then the walk is saved, which costs as much again.
    const bool valid = isTame(document) && whole.accepts(document, validator);
    if (valid) return {};
    static SchemaChecker checker(json::parse(jobSchemaText), whole);
    return checker.check(document);
}

bool isReported(const std::vector<Problem>& problems, std::string_view pointer) {
    return std::any_of(problems.begin(), problems.end(),
                       [&](const Problem& problem) { return problem.pointer == pointer; });
}

} // namespace holdfast
