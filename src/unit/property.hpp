#pragma once

#include "unit/properties.hpp"

#include <string>
#include <utility>
#include <vector>

/// How properties are written, in the types of org.freedesktop.systemd1(5).
namespace holdfast {

template<typename Value>
void add(UnitProperties& properties, const char* name, const Value& value) {
    properties.emplace_back(name, sdbus::Variant(value));
}

/// A list that allows (true) or takes away from what is allowed (false).
void addList(UnitProperties& properties, const char* name, bool allow, const std::vector<std::string>& values);

/// One command, whose arguments reach the program to the letter.
void addCommand(UnitProperties& properties, const char* name, const std::vector<std::string>& argv);

/// No namespace may be made or entered, but for one kind that lends nothing.
void forbidNamespaces(UnitProperties& properties);

/// Fields with which the journal finds all that belongs to a run.
void addLogFields(UnitProperties& properties, const std::vector<std::pair<std::string, std::string>>& fields);

} // namespace holdfast
