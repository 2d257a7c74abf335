#include "holdfastctl/bus_json.hpp"

#include "util/sdbus_compat.hpp"

#include <cctype>

#include <nlohmann/json.hpp>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

template<typename Value>
json as(const sdbus::Variant& value) {
    return value.get<Value>();
}

json pairs(const sdbus::Variant& value) {
    json list = json::array();
    for (const auto& pair : value.get<std::vector<sdbus::Struct<std::string, std::string>>>()) {
        list.push_back({std::get<0>(pair), std::get<1>(pair)});
    }
    return list;
}

json dictionary(const sdbus::Variant& value) { return toJson(value.get<VariantMap>()); }

const std::map<std::string, json (*)(const sdbus::Variant&)> readers = {
    {"s", as<std::string>},  {"o", as<sdbus::ObjectPath>},
    {"b", as<bool>},         {"y", as<std::uint8_t>},
    {"n", as<std::int16_t>}, {"q", as<std::uint16_t>},
    {"i", as<std::int32_t>}, {"u", as<std::uint32_t>},
    {"x", as<std::int64_t>}, {"t", as<std::uint64_t>},
    {"d", as<double>},       {"as", as<std::vector<std::string>>},
    {"a(ss)", pairs},        {"a{sv}", dictionary},
};

} // namespace

json toJson(const sdbus::Variant& value) {
    const auto reader = readers.find(value.peekValueType());
    return reader == readers.end() ? json(nullptr) : reader->second(value);
}

json toJson(const VariantMap& properties) {
    json object = json::object();
    for (const auto& [name, value] : properties) {
        auto key = name;
        if (!key.empty()) key[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(key[0])));
        object[key] = toJson(value);
    }
    return object;
}

} // namespace holdfast::ctl
