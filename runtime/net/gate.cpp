#include "runtime/net/gate.h"

#include <strings.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace ppc::net {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// "localhost:8000" -> "localhost", "[::1]:8000" -> "[::1]"; nothing when there is more to it.
std::optional<std::string_view> name_of(std::string_view host) {
  const size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  const size_t colon = host.find(':', bracket);
  if (colon == std::string_view::npos) return host;
  const std::string_view port = host.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return host.substr(0, colon);
}

const std::string* find(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields)
    if (same_word(key, name)) return &value;
  return nullptr;
}

}  // namespace

const std::string* ServerRequest::header(std::string_view name) const { return find(headers, name); }
const std::string* ServerRequest::argument(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return &value;
  return nullptr;
}

ServerResponse error_response(int status, std::string_view message) {
  std::string text;
  for (const char c : message) {
    const auto b = static_cast<uint8_t>(c);
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\') text += '\\';
    if (b < 0x20) text += std::string("\\u00") + hex[b >> 4] + hex[b & 15];
    else text += c;
  }
  return {status, "{\"error\": {\"message\": \"" + text + "\", \"status\": " + std::to_string(status) + "}}\n"};
}

bool is_loopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

bool same_secret(std::string_view a, std::string_view b) {
  // How long the right one is may show; what is in it may not.
  volatile uint8_t differ = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    differ = differ | static_cast<uint8_t>(a[i] ^ other);
  }
  return differ == 0;
}

std::string_view bearer(const ServerRequest& r) {
  const std::string* given = r.header("Authorization");
  constexpr std::string_view kind = "Bearer ";
  if (!given || given->size() < kind.size() || !same_word(std::string_view(*given).substr(0, kind.size()), kind)) return {};
  return std::string_view(*given).substr(kind.size());
}

std::string make_secret() {
  uint8_t bytes[16];
  size_t have = 0;
  while (have < sizeof bytes) {
    const ssize_t n = getrandom(bytes + have, sizeof bytes - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw std::runtime_error("the system gives no random numbers");
    have += static_cast<size_t>(n);
  }
  std::string out;
  for (const uint8_t b : bytes) {
    static const char hex[] = "0123456789abcdef";
    out += hex[b >> 4];
    out += hex[b & 15];
  }
  return out;
}

std::optional<ServerResponse> Gate::refuse(const ServerRequest& r) const {
  const std::string* host = r.header("Host");
  const auto name = host ? name_of(*host) : std::nullopt;
  if (std::count_if(r.headers.begin(), r.headers.end(), [](const auto& h) { return same_word(h.first, "Host"); }) > 1 || (host && !name)) {
    return error_response(400, "the Host header is no host");
  }
  const bool known = name && std::any_of(options_.hosts.begin(), options_.hosts.end(), [&](const std::string& h) { return same_word(h, *name); });
  if (options_.token.empty() && !options_.any_host && !known) {
    return error_response(403, "this server is for this machine only, under its own name: the Host header is another (--allow-host adds one)");
  }
  if (const std::string* origin = r.header("Origin")) {
    const bool same = host && (same_word(*origin, "http://" + *host) || same_word(*origin, "https://" + *host));
    if (!same) return error_response(403, "a page from elsewhere (its Origin is another) may not use this server");
  }
  const std::string* site = r.header("Sec-Fetch-Site");
  if (site && (same_word(*site, "cross-site") || same_word(*site, "same-site"))) {
    const std::string* mode = r.header("Sec-Fetch-Mode");
    const bool followed = (r.method == "GET" || r.method == "HEAD") && mode && same_word(*mode, "navigate");
    if (!followed) return error_response(403, "a page from elsewhere (Sec-Fetch-Site) may not use this server");
  }
  if (!options_.token.empty() && std::find(options_.open.begin(), options_.open.end(), r.path) == options_.open.end() &&
      !same_secret(bearer(r), options_.token)) {
    ServerResponse out = error_response(401, bearer(r).empty() ? "this server wants its token: `Authorization: Bearer TOKEN`" : "this is not the server's token");
    out.headers.emplace_back("WWW-Authenticate", "Bearer");
    return out;
  }
  if (r.method == "POST") {
    const std::string* type = r.header("Content-Type");
    const std::string_view plain = type ? std::string_view(*type).substr(0, type->find_first_of("; \t")) : "";
    if (!same_word(plain, "application/json")) return error_response(415, "a POST needs `Content-Type: application/json`");
  }
  return std::nullopt;
}

}  // namespace ppc::net
