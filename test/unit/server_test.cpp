// The HTTP server on real sockets of this machine, and the gate in front of it.
#include "runtime/net/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/net/gate.h"

using namespace ppc::net;

namespace {

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    good_ = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    timeval patience{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  bool good() const { return good_; }
  bool send(const std::string& bytes) { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()); }
  /// Until the text is there, or the end; all that came since the last call.
  std::string until(const std::string& text) {
    while (got_.find(text) == std::string::npos) {
      char buffer[65536];
      const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      got_.append(buffer, static_cast<size_t>(n));
    }
    const size_t at = got_.find(text);
    const size_t end = at == std::string::npos ? got_.size() : at + text.size();
    std::string out = got_.substr(0, end);
    got_.erase(0, end);
    return out;
  }
  std::string all() { return until(std::string("\0never\0", 7)); }
  std::string get(const std::string& path, const std::string& more = "") {
    send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n");
    return until("!");
  }

 private:
  int fd_;
  bool good_;
  std::string got_;
};

ServerResponse text(const std::string& s) { return {200, s, "text/plain"}; }
bool has(const std::string& in, const std::string& what) { return in.find(what) != std::string::npos; }

TEST(Server, AnswersSeveralRequestsOfAConnection) {
  auto server = make_server({}, [](const std::shared_ptr<Exchange>& e) {
    const ServerRequest& r = e->request();
    e->respond(text(r.method + " " + r.path + " " + (r.argument("q") ? *r.argument("q") : "-") + " " + r.body + "!"));
  });
  Client c(server->port());
  EXPECT_TRUE(has(c.get("/a%20b?q=x%26y"), "GET /a b x&y !"));
  c.send("POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo");
  c.send("dy");
  const std::string answer = c.until("!");
  EXPECT_TRUE(has(answer, "POST /p - body!")) << answer;
  EXPECT_TRUE(has(answer, "X-Content-Type-Options: nosniff"));
  c.send("POST /p HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(has(c.until("!"), "POST /p - abcde!"));
}

TEST(Server, AnswersLaterFromAnotherThread) {
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> waiting;
  std::condition_variable changed;
  auto server = make_server({.threads = 2}, [&](std::shared_ptr<Exchange> e) {
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(e));
    changed.notify_one();
  });
  constexpr size_t n = 400;
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < n; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    clients.back()->send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  std::thread([&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting.size() == n; });
    for (const auto& e : waiting) e->respond(text(e->request().path + "!"));
    waiting.clear();
  }).join();
  for (size_t i = 0; i < n; ++i) EXPECT_TRUE(has(clients[i]->until("!"), "\r\n\r\n/" + std::to_string(i) + "!"));
}

TEST(Server, AnswersWhateverNumberComesAtOnce) {
  // 128 is how many events the library takes at a time.
  for (const size_t n : {size_t{127}, size_t{128}, size_t{256}, size_t{257}}) {
    std::mutex mutex;
    auto server = make_server({.idle_seconds = 5}, [&](const std::shared_ptr<Exchange>& e) {
      std::lock_guard lock(mutex);
      e->respond(text("ok!"));
    });
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 0; i < n + 1; ++i) {
      clients.push_back(std::make_unique<Client>(server->port()));
      EXPECT_TRUE(has(clients.back()->get("/"), "ok!"));
    }
    {
      std::lock_guard lock(mutex);  // the server is held up by one, while the others come
      clients[n]->send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      for (size_t i = 0; i < n; ++i) clients[i]->send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (const auto& c : clients) EXPECT_TRUE(has(c->until("!"), "ok!")) << n;
  }
}

TEST(Server, StreamsAsItIsWritten) {
  std::shared_ptr<Exchange> stream;
  std::mutex mutex;
  auto server = make_server({}, [&](std::shared_ptr<Exchange> e) {
    e->begin({200, "data: 0\n\n", "text/event-stream"});
    std::lock_guard lock(mutex);
    stream = std::move(e);
  });
  Client c(server->port());
  c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(has(c.until("data: 0\n\n"), "Transfer-Encoding: chunked"));
  std::unique_lock lock(mutex);
  for (int i = 1; i < 50; ++i) {  // each is there before the next is written
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    ASSERT_TRUE(stream->write(event));
    ASSERT_TRUE(has(c.until(event), event));
  }
  stream->end();
  EXPECT_FALSE(stream->write("more"));
  c.until("0\r\n\r\n");
  lock.unlock();
  c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(has(c.until("data: 0\n\n"), " 200 "));  // the connection goes on
  lock.lock();
  stream.reset();
  EXPECT_FALSE(has(c.all(), "0\r\n\r\n"));  // cut off
}

TEST(Server, StreamsToManyAtOnce) {
  constexpr size_t n = 300, events = 20;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<Exchange>> streams;
  auto server = make_server({.threads = 2}, [&](std::shared_ptr<Exchange> e) {
    e->begin({200, "", "text/event-stream"});
    std::lock_guard lock(mutex);
    streams.push_back(std::move(e));
    changed.notify_one();
  });
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < n; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    clients.back()->send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  std::thread writing([&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return streams.size() == n; });
    for (size_t k = 0; k < events; ++k)
      for (const auto& e : streams) EXPECT_TRUE(e->write("data: " + e->request().path + " " + std::to_string(k) + "\n\n"));
    for (const auto& e : streams) e->end();
  });
  for (size_t i = 0; i < n; ++i) {
    const std::string all = clients[i]->until("\r\n0\r\n\r\n");
    size_t from = 0;
    for (size_t k = 0; k < events && from != std::string::npos; ++k) from = all.find("data: /" + std::to_string(i) + " " + std::to_string(k) + "\n\n", from);
    EXPECT_NE(from, std::string::npos) << all;
  }
  writing.join();
}

TEST(Server, SaysWhenTheClientHasGone) {
  std::mutex mutex;
  std::condition_variable changed;
  int gone = 0, asked = 0;
  std::vector<std::shared_ptr<Exchange>> kept;
  auto server = make_server({}, [&](std::shared_ptr<Exchange> e) {
    if (e->request().path == "/stream") e->begin({200, "x", "text/plain"});
    e->on_gone([&] {
      std::lock_guard lock(mutex);
      ++gone;
      changed.notify_one();
    });
    std::lock_guard lock(mutex);
    kept.push_back(std::move(e));
    ++asked;
    changed.notify_one();
  });
  for (const char* path : {"/wait", "/stream"}) {
    Client c(server->port());
    c.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::unique_lock lock(mutex);
    const int before = asked;
    changed.wait(lock, [&] { return asked > 0 && asked >= before && kept.size() == static_cast<size_t>(path[1] == 'w' ? 1 : 2); });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return gone == 2; });
  EXPECT_TRUE(kept[0]->gone());
  EXPECT_FALSE(kept[1]->write("y"));
  kept[0]->respond(text("nobody hears this"));
}

TEST(Server, LetsGoOfAReaderThatDoesNotRead) {
  std::mutex mutex;
  std::shared_ptr<Exchange> stream;
  std::condition_variable changed;
  auto server = make_server({.max_buffered = 1u << 16}, [&](std::shared_ptr<Exchange> e) {
    e->begin({200, "", "text/plain"});
    std::lock_guard lock(mutex);
    stream = std::move(e);
    changed.notify_one();
  });
  Client c(server->port());
  c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return stream != nullptr; });
  const std::string much(1u << 15, 'x');
  bool took = true;
  for (int i = 0; i < 100'000 && took; ++i) took = stream->write(much);
  EXPECT_FALSE(took);
}

TEST(Server, LimitsSizes) {
  std::atomic<int> calls{0};
  auto server = make_server({.max_body = 1000, .max_headers = 4096}, [&](const std::shared_ptr<Exchange>& e) {
    ++calls;
    e->respond(text("ok!"));
  });
  const std::string head = "POST / HTTP/1.1\r\nHost: localhost\r\n";
  {
    Client c(server->port());
    c.send(head + "Content-Length: 1001\r\n\r\n");
    EXPECT_TRUE(has(c.all(), " 413 "));
  }
  {
    Client c(server->port());
    c.send(head + "Content-Length: 99999999999999999999999\r\n\r\n");
    const std::string answer = c.all();
    EXPECT_TRUE(has(answer, " 413 ") || has(answer, " 400 ")) << answer;
  }
  {
    Client c(server->port());
    c.send(head + "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 11; ++i) c.send("64\r\n" + std::string(100, 'x') + "\r\n");
    c.send("0\r\n\r\n");
    EXPECT_TRUE(has(c.all(), " 413 "));
  }
  {
    Client c(server->port());
    c.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(64'000, 'x') + "\r\n\r\n");
    const std::string answer = c.all();
    EXPECT_TRUE(answer.empty() || has(answer, " 431 ") || has(answer, " 413 ")) << answer;
  }
  {
    Client c(server->port());
    c.send("GET /" + std::string(64'000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const std::string answer = c.all();
    EXPECT_TRUE(answer.empty() || has(answer, " 414 ") || has(answer, " 431 ")) << answer;
  }
  EXPECT_EQ(calls, 0);
  Client c(server->port());
  EXPECT_TRUE(has(c.get("/"), "ok!"));
}

TEST(Server, CutsOffSlowRequests) {
  auto server = make_server({.request_seconds = 0.5, .idle_seconds = 1}, [](const std::shared_ptr<Exchange>& e) { e->respond(text("ok!")); });
  for (const char* start : {"", "GET / HTTP/1.1\r\nHost: loc", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX: "}) {
    Client c(server->port());
    c.send(start);
    std::atomic<bool> open{true};
    std::thread dripping([&] {
      while (open && c.send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    });
    EXPECT_FALSE(has(c.all(), " 200 ")) << start;
    open = false;
    dripping.join();
  }
  Client c(server->port());
  EXPECT_TRUE(has(c.get("/"), "ok!"));
  c.all();  // an idle connection ends, too
}

TEST(Server, LimitsConnectionsOfAPeer) {
  auto server = make_server({.connections_per_peer = 2}, [](const std::shared_ptr<Exchange>& e) { e->respond(text("ok!")); });
  Client a(server->port()), b(server->port());
  EXPECT_TRUE(has(a.get("/"), "ok!"));
  EXPECT_TRUE(has(b.get("/"), "ok!"));
  Client c(server->port());
  EXPECT_FALSE(has(c.get("/"), "ok!"));
}

TEST(Server, StopsInOrder) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<Exchange>> kept;
  auto server = make_server({}, [&](std::shared_ptr<Exchange> e) {
    if (e->request().path == "/stream") e->begin({200, "x", "text/plain"});
    std::lock_guard lock(mutex);
    kept.push_back(std::move(e));
    changed.notify_one();
  });
  Client quick(server->port()), late(server->port()), stream(server->port());
  quick.send("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n");
  late.send("GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n");
  stream.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return kept.size() == 3; });
  }
  EXPECT_EQ(server->busy(), 3u);
  std::thread stopping([&] { server->stop(1); });
  for (const auto& e : kept)
    if (e->request().path == "/quick") e->respond(text("in time!"));
  EXPECT_TRUE(has(quick.until("!"), "in time!"));
  EXPECT_TRUE(has(late.all(), " 503 "));
  EXPECT_FALSE(has(stream.all(), "\r\n0\r\n\r\n"));  // cut off, and not ended in order
  stopping.join();
  const uint16_t port = server->port();
  server.reset();
  Client nobody(port);
  EXPECT_FALSE(nobody.good());
  for (const auto& e : kept) {
    e->respond(text("too late"));
    EXPECT_FALSE(e->write("too late"));
  }
}

TEST(Server, AnswersForHandlersThatDoNot) {
  auto server = make_server({.refuse = [](const ServerRequest& r) -> std::optional<ServerResponse> {
                              if (r.path == "/no") return error_response(403, "a \"reason\"\n");
                              return std::nullopt;
                            }},
                            [](const std::shared_ptr<Exchange>& e) {
                              if (e->request().path == "/throws") throw std::runtime_error("oops");
                            });
  Client a(server->port()), b(server->port()), c(server->port());
  a.send("GET /drops HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(has(a.until("}}"), " 500 "));
  b.send("GET /throws HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(has(b.until("}}"), " 500 "));
  c.send("GET /no HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(has(c.until("}}"), R"("message": "a \"reason\"\u000a")"));
}

TEST(Server, SaysWhyItDoesNotListen) {
  EXPECT_THROW(make_server({.host = "nowhere.example"}, {}), std::runtime_error);
  auto first = make_server({}, [](const std::shared_ptr<Exchange>&) {});
  EXPECT_THROW(make_server({.port = first->port()}, {}), std::runtime_error);
}

ServerRequest request(const std::string& method, Fields headers, const std::string& path = "/") {
  ServerRequest r;
  r.method = method;
  r.path = path;
  r.headers = std::move(headers);
  return r;
}

int status(const Gate& gate, const ServerRequest& r) {
  const auto no = gate.refuse(r);
  return no ? no->status : 200;
}

TEST(Gate, KeepsOtherPagesOut) {
  const Gate gate({.hosts = {"localhost", "127.0.0.1", "[::1]"}});
  EXPECT_EQ(status(gate, request("GET", {{"Host", "localhost:8000"}})), 200);
  EXPECT_EQ(status(gate, request("GET", {{"host", "LOCALHOST"}})), 200);
  EXPECT_EQ(status(gate, request("GET", {{"Host", "[::1]:80"}})), 200);
  EXPECT_EQ(status(gate, request("GET", {{"Host", "evil.example:8000"}})), 403);
  EXPECT_EQ(status(gate, request("GET", {{"Host", "localhost.evil.example"}})), 403);
  EXPECT_EQ(status(gate, request("GET", {{"Host", "localhost:8000@evil"}})), 400);
  EXPECT_EQ(status(gate, request("GET", {{"Host", "[::1"}})), 400);
  EXPECT_EQ(status(gate, request("GET", {})), 403);
  EXPECT_EQ(status(gate, request("GET", {{"Host", "localhost"}, {"Host", "evil.example"}})), 400);
  const std::pair<std::string, std::string> host{"Host", "localhost:8000"}, json{"Content-Type", "application/json; charset=utf-8"};
  EXPECT_EQ(status(gate, request("POST", {host, json})), 200);
  EXPECT_EQ(status(gate, request("POST", {host})), 415);
  EXPECT_EQ(status(gate, request("POST", {host, {"Content-Type", "text/plain"}})), 415);
  EXPECT_EQ(status(gate, request("POST", {host, json, {"Origin", "http://localhost:8000"}})), 200);
  EXPECT_EQ(status(gate, request("POST", {host, json, {"Origin", "http://localhost:9000"}})), 403);
  EXPECT_EQ(status(gate, request("POST", {host, json, {"Origin", "null"}})), 403);
  EXPECT_EQ(status(gate, request("GET", {host, {"Origin", "http://evil.example"}})), 403);
  EXPECT_EQ(status(gate, request("GET", {host, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}})), 403);
  EXPECT_EQ(status(gate, request("GET", {host, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}})), 200);
  EXPECT_EQ(status(gate, request("POST", {host, json, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}})), 403);
  EXPECT_EQ(status(gate, request("GET", {host, {"Sec-Fetch-Site", "same-origin"}})), 200);
}

TEST(Gate, WantsItsToken) {
  const Gate gate({.token = "secret", .hosts = {}, .open = {"/health"}});
  const std::pair<std::string, std::string> host{"Host", "box.example:8000"};
  EXPECT_EQ(status(gate, request("GET", {host})), 401);
  EXPECT_EQ(status(gate, request("GET", {host, {"Authorization", "Bearer wrong1"}})), 401);
  EXPECT_EQ(status(gate, request("GET", {host, {"Authorization", "Bearer secre"}})), 401);
  EXPECT_EQ(status(gate, request("GET", {host, {"Authorization", "Bearer secretsecret"}})), 401);
  EXPECT_EQ(status(gate, request("GET", {host, {"Authorization", "Basic secret"}})), 401);
  EXPECT_EQ(status(gate, request("GET", {host, {"Authorization", "bearer secret"}})), 200);
  EXPECT_EQ(status(gate, request("GET", {host}, "/health")), 200);
  EXPECT_EQ(status(gate, request("GET", {host, {"Origin", "http://evil.example"}, {"Authorization", "Bearer secret"}})), 403);
  EXPECT_NE(make_secret(), make_secret());
  EXPECT_EQ(make_secret().size(), 32u);
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_FALSE(same_secret("a", ""));
}

}  // namespace
