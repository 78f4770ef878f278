// Steps a second of `ppc serve env` over loopback, with 1, 16 and 256 connections that are kept: beside the same server with a handler
// that says nothing (the limit of HTTP here), the service without HTTP, and the engine without JSON. The game is wordle; each guess is
// wrong, and when the episode is over a reset begins the next one, which counts as a step.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>

#include "compiler/driver/driver.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"
#include "tools/serve/env.h"

using namespace ppc;

namespace {

constexpr int kRounds = 5;
constexpr size_t kRequests = 20'000;
constexpr const char* kGuess = "explanation: a try\nguess: crane";

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "serve_bench: " << what << "\n";
  std::exit(1);
}

serve::EnvGame load() {
  Sources sources;
  diag::Emitter emitter(sources);
  driver::LoadOptions options;
  options.cache_dir = std::string();
  serve::EnvGame g;
  g.module = driver::load_game(bench::game_file("wordle"), options, emitter);
  if (!g.module) fail("wordle does not compile");
  g.set = std::make_shared<engine::InstanceSet>(engine::load_instances(*g.module, bench::game_folder("wordle") + "/instances/instances.json"));
  for (const engine::Experiment& e : g.set->experiments)
    for (uint32_t i = 0; i < e.instances.size(); ++i) g.chosen.push_back({&e, &e.instances[i], i, 0});
  g.resources = engine::load_resources(*g.module, bench::game_folder("wordle"), "", false);
  g.bots.resize(g.module->manifest().players.size());
  return g;
}

std::string body_of(size_t connection, bool reset) {
  const std::string session = "\"session_id\": \"" + std::to_string(connection) + "\"";
  return reset ? "{" + session + ", \"seed\": 1}" : "{" + session + ", \"action\": {\"message\": \"explanation: a try\\nguess: crane\"}}";
}

/// One thread with many connections, each with one request under way; 0: done is not looked for (an empty handler).
double over_http(uint16_t port, size_t connections, bool games) {
  struct Connection {
    int fd;
    bool done = true;
    std::string got;
  };
  std::vector<Connection> all(connections);
  std::vector<pollfd> fds;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (Connection& c : all) {
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("cannot connect");
    fds.push_back({c.fd, POLLIN, 0});
  }
  size_t sent = 0, came = 0;
  auto send_one = [&](size_t i) {
    const std::string body = body_of(i, all[i].done);
    const std::string request = std::string("POST ") + (all[i].done ? "/reset" : "/step") + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
                                std::to_string(body.size()) + "\r\n\r\n" + body;
    if (send(all[i].fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) fail("cannot send");
    ++sent;
  };
  const double taken = bench::seconds([&] {
    for (size_t i = 0; i < connections; ++i) send_one(i);
    while (came < kRequests) {
      poll(fds.data(), fds.size(), -1);
      for (size_t i = 0; i < connections; ++i) {
        if (!fds[i].revents) continue;
        char buffer[65536];
        const ssize_t n = recv(all[i].fd, buffer, sizeof buffer, 0);
        if (n <= 0) fail("the server hung up");
        std::string& got = all[i].got;
        got.append(buffer, static_cast<size_t>(n));
        const size_t head = got.find("\r\n\r\n");
        if (head == std::string::npos) continue;
        const size_t length = got.find("Content-Length: ");
        if (got.size() < head + 4 + std::stoul(got.substr(length + 16))) continue;
        if (got.compare(9, 3, "200") != 0) fail(got);
        if (games) all[i].done = got.find("\"done\": true") != std::string::npos;
        got.clear();
        ++came;
        if (sent < kRequests) send_one(i);
      }
    }
  });
  for (const Connection& c : all) close(c.fd);
  return static_cast<double>(kRequests) / taken;
}

}  // namespace

int main() {
  const serve::EnvGame game = load();
  serve::EnvService service({game}, {});
  const auto server = net::make_server({}, [&](const std::shared_ptr<net::Exchange>& e) { e->respond(service.answer(e->request())); });
  const auto empty = net::make_server({}, [&](const std::shared_ptr<net::Exchange>& e) { e->respond({200, "{}\n"}); });
  for (const size_t connections : {size_t{1}, size_t{16}, size_t{256}}) {
    std::vector<double> ours, limit;
    for (int r = 0; r < kRounds; ++r) {
      limit.push_back(over_http(empty->port(), connections, false));
      ours.push_back(over_http(server->port(), connections, true));
    }
    bench::line("serve/env/" + std::to_string(connections) + " connections, beside an empty answer", bench::median(ours), "steps/s", bench::median(limit));
  }
  std::vector<double> direct, engine_alone;
  for (int r = 0; r < kRounds; ++r) {
    direct.push_back(static_cast<double>(kRequests) / bench::seconds([&] {
      bool done = true;
      for (size_t n = 0; n < kRequests; ++n) {
        net::ServerRequest request;
        request.method = "POST";
        request.path = done ? "/reset" : "/step";
        request.body = body_of(0, done);
        const net::ServerResponse answer = service.answer(request);
        if (answer.status != 200) fail(answer.body);
        done = answer.body.find("\"done\": true") != std::string::npos;
      }
    }));
    engine_alone.push_back(static_cast<double>(kRequests) / bench::seconds([&] {
      engine::Worker worker;
      const cli::Chosen& c = game.chosen[0];
      engine::Episode episode(std::make_shared<engine::Setting>(engine::Setting{game.module, c.experiment->segment, c.instance->segment, game.resources}), 1);
      episode.start(worker);
      for (size_t n = 0; n < kRequests; ++n) {
        if (episode.status() == engine::Status::Done) {
          episode.restart(1);
          episode.start(worker);
        } else {
          episode.step(worker, kGuess);
          episode.message(worker);
        }
      }
    }));
  }
  bench::line("serve/env/service without HTTP, beside the engine without JSON", bench::median(direct), "steps/s", bench::median(engine_alone));
}
