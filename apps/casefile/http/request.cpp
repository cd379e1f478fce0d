#include "apps/casefile/http/request.hpp"

#include <stdexcept>

#include "apps/casefile/http/text.hpp"

namespace casefile::http {

void Headers::add(std::string_view name, std::string_view value) {
  Field field;
  field.name_begin = static_cast<std::uint32_t>(text_.size());
  text_ += name;
  field.value_begin = static_cast<std::uint32_t>(text_.size());
  text_ += value;
  field.value_end = static_cast<std::uint32_t>(text_.size());
  fields_.push_back(field);
}

void Headers::clear() noexcept {
  text_.clear();
  fields_.clear();
}

std::string_view Headers::name(std::size_t index) const noexcept {
  auto const& field = fields_[index];
  return std::string_view(text_).substr(field.name_begin, field.value_begin - field.name_begin);
}

std::string_view Headers::value(std::size_t index) const noexcept {
  auto const& field = fields_[index];
  return std::string_view(text_).substr(field.value_begin, field.value_end - field.value_begin);
}

std::string_view Headers::find(std::string_view wanted) const noexcept {
  for (std::size_t i = 0; i < size(); ++i) {
    if (equal_ignoring_case(name(i), wanted)) return value(i);
  }
  return {};
}

std::size_t Headers::count(std::string_view wanted) const noexcept {
  std::size_t found = 0;
  for (std::size_t i = 0; i < size(); ++i) found += equal_ignoring_case(name(i), wanted) ? 1 : 0;
  return found;
}

std::string const& Request::parameter(std::string_view name) const {
  for (auto const& [parameter, value] : parameters) {
    if (parameter == name) return value;
  }
  throw std::out_of_range("the route " + std::string(route) + " has no placeholder {" + std::string(name) + "}");
}

void Request::clear() noexcept {
  method.clear();
  target.clear();
  path.clear();
  query.clear();
  parameters.clear();
  headers.clear();
  constexpr std::size_t body_kept_max = 64 * 1024;  // many idle connections must not each hold their largest body
  if (body.capacity() > body_kept_max) {
    body = std::string();
  } else {
    body.clear();
  }
  id.clear();
  peer.clear();
  route = {};
}

}  // namespace casefile::http
