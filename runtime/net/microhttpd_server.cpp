// The server on libmicrohttpd: each thread waits for its connections together (epoll) and calls the handler; a request whose answer takes
// longer is suspended. One more thread looks after what the library does not see: requests that arrive too slowly, and clients of
// suspended requests that have gone.
//
// The threads are ours, a daemon each: those of the library (0.9.75) wait again, up to its timeout, when a multiple of 128 events comes at
// once, and answer none of them before.
#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "runtime/net/server.h"

namespace ppc::net {
namespace {

using Clock = std::chrono::steady_clock;

Clock::duration seconds(double s) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s)); }

/// A request from its first line to the end of its answer. What the library calls it by is null once it is over.
struct Pending {
  std::mutex mutex;
  MHD_Connection* connection = nullptr;   // null: over
  int bell = -1;                          // wakes the thread that waits for the connection; open as long as there is one
  bool suspended = false;
  bool dispatched = false, refused = false, too_large = false;  // of the library's thread alone
  ServerRequest request;
  std::optional<ServerResponse> answer;   // to be sent
  bool answered = false, sent = false;
  bool streaming = false, ended = false, broken = false;
  std::string chunks;                     // of a stream, to be sent
  size_t max_buffered = 0;
  bool gone = false;
  std::function<void()> on_gone;

  // With the mutex held.
  void wake() {
    if (!suspended || !connection) return;
    suspended = false;
    MHD_resume_connection(connection);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t rung = write(bell, &one, sizeof one);
  }
};
using PendingPtr = std::shared_ptr<Pending>;

class HeldExchange final : public Exchange {
 public:
  explicit HeldExchange(PendingPtr p) : p_(std::move(p)) {}
  ~HeldExchange() override {
    std::lock_guard lock(p_->mutex);
    p_->on_gone = {};
    if (!p_->answered) {
      p_->answered = true;
      p_->answer = error_response(500, "no answer");
    } else if (p_->streaming && !p_->ended) {
      p_->broken = p_->ended = true;
    }
    p_->wake();
  }
  const ServerRequest& request() const override { return p_->request; }
  void respond(ServerResponse r) override {
    std::lock_guard lock(p_->mutex);
    if (p_->answered) return;
    p_->answered = true;
    p_->answer = std::move(r);
    p_->wake();
  }
  void begin(ServerResponse r) override {
    std::lock_guard lock(p_->mutex);
    if (p_->answered) return;
    p_->answered = p_->streaming = true;
    p_->chunks = std::move(r.body);
    r.body.clear();
    p_->answer = std::move(r);
    p_->wake();
  }
  bool write(std::string_view bytes) override {
    std::lock_guard lock(p_->mutex);
    if (!p_->streaming || p_->ended || p_->gone) return false;
    if (p_->chunks.size() + bytes.size() > p_->max_buffered) {
      p_->broken = p_->ended = true;
      p_->chunks.clear();
      p_->wake();
      return false;
    }
    p_->chunks += bytes;
    p_->wake();
    return true;
  }
  void end() override {
    std::lock_guard lock(p_->mutex);
    p_->ended = true;
    p_->wake();
  }
  bool gone() const override {
    std::lock_guard lock(p_->mutex);
    return p_->gone;
  }
  void on_gone(std::function<void()> then) override {
    {
      std::lock_guard lock(p_->mutex);
      if (!p_->gone) {
        p_->on_gone = std::move(then);
        return;
      }
    }
    then();
  }

 private:
  PendingPtr p_;
};

/// A connection: its socket is open as long as this is in the server's set.
struct Connection {
  int fd = -1;
  std::string peer;
  bool reading = true;          // a request is awaited or arriving
  Clock::time_point deadline;   // for it
  PendingPtr pending;           // being answered
};

class MicrohttpdServer;

/// A thread and its connections.
struct Loop {
  MicrohttpdServer* server = nullptr;
  MHD_Daemon* daemon = nullptr;
  int bell = -1;
  std::thread thread;
};

class MicrohttpdServer final : public Server {
 public:
  MicrohttpdServer(ServerOptions options, Handler handler) : options_(std::move(options)), handler_(std::move(handler)) {
    const int fd = listen_on();
    const unsigned threads = std::max(1u, options_.threads);
    // Beside the headers, the library keeps what it has read of the body and the answer's headers there.
    const size_t memory = options_.max_headers + (16u << 10);
    for (unsigned i = 0; i < threads; ++i) {
      auto& loop = loops_.emplace_back(std::make_unique<Loop>());
      loop->server = this;
      loop->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (own >= 0 && loop->bell >= 0) loop->daemon = MHD_start_daemon(
          MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, &MicrohttpdServer::may_connect, loop.get(), &MicrohttpdServer::on_request, loop.get(),
          MHD_OPTION_LISTEN_SOCKET, own,
          MHD_OPTION_CONNECTION_LIMIT, std::max(1u, options_.connections / threads),
          MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
          MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(std::max(1.0, options_.idle_seconds)),
          MHD_OPTION_STRICT_FOR_CLIENT, 1,
          MHD_OPTION_NOTIFY_CONNECTION, &MicrohttpdServer::on_connection, loop.get(),
          MHD_OPTION_NOTIFY_COMPLETED, &MicrohttpdServer::on_completed, loop.get(),
          MHD_OPTION_END);
      if (!loop->daemon) {
        if (own >= 0) close(own);
        close(fd);
        end_threads();
        throw std::runtime_error("the HTTP server does not start");
      }
      loop->thread = std::thread([this, l = loop.get()] { serve(*l); });
    }
    close(fd);
    keeper_ = std::thread([this] { keep(); });
  }
  ~MicrohttpdServer() override { stop(0); }

  uint16_t port() const override { return port_; }
  size_t busy() const override {
    std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(), [](const Connection* c) { return !c->reading; }));
  }

  void stop(double wait) override {
    std::lock_guard once(stopping_mutex_);
    if (loops_.empty()) return;
    closing_ = true;
    for (const auto& loop : loops_)
      if (const MHD_socket fd = MHD_quiesce_daemon(loop->daemon); fd != MHD_INVALID_SOCKET) close(fd);
    const auto until = Clock::now() + seconds(wait);
    while (busy() > 0 && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    cut_off_ = true;
    // A suspended connection cannot be closed: all have to go on, if only to hear that it is over.
    for (const PendingPtr& p : pendings()) {
      std::lock_guard lock(p->mutex);
      if (!p->answered) {
        p->answered = true;
        p->answer = stopped();
      }
      if (p->streaming && !p->ended) p->broken = p->ended = true;
      p->wake();
    }
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    keeper_.join();
    // What has been woken gets a moment to say so.
    const auto moment = Clock::now() + std::chrono::milliseconds(200);
    while (busy() > 0 && Clock::now() < moment) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    end_threads();
  }

 private:
  void end_threads() {
    threads_end_ = true;
    for (const auto& loop : loops_) {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t rung = write(loop->bell, &one, sizeof one);
      if (loop->thread.joinable()) loop->thread.join();
      if (loop->daemon) MHD_stop_daemon(loop->daemon);
      if (loop->bell >= 0) close(loop->bell);
    }
    loops_.clear();
  }

  void serve(const Loop& loop) {
    const MHD_DaemonInfo* info = MHD_get_daemon_info(loop.daemon, MHD_DAEMON_INFO_EPOLL_FD);
    pollfd events[] = {{info->epoll_fd, POLLIN, 0}, {loop.bell, POLLIN, 0}};
    while (!threads_end_) {
      MHD_UNSIGNED_LONG_LONG wait = 0;
      int ms = 1000;
      if (MHD_get_timeout(loop.daemon, &wait) == MHD_YES && wait < 1000) ms = static_cast<int>(wait);
      poll(events, 2, ms);
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t heard = read(loop.bell, &count, sizeof count);
      MHD_run(loop.daemon);
    }
  }

  static ServerResponse stopped() {
    ServerResponse r = error_response(503, "the server is being stopped");
    r.headers.emplace_back("Connection", "close");
    return r;
  }

  int listen_on() {
    const std::string host = options_.host == "localhost" ? "127.0.0.1" : options_.host;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(options_.port).c_str(), &hints, &found) != 0 || !found) {
      throw std::runtime_error("`" + options_.host + "` is no address: expected one such as 127.0.0.1, 0.0.0.0 or ::");
    }
    const std::string where = options_.host + " port " + std::to_string(options_.port);
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool good = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    const int error = errno;
    freeaddrinfo(found);
    if (!good) {
      if (fd >= 0) close(fd);
      throw std::runtime_error("cannot listen on " + where + ": " + std::strerror(error));
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port : reinterpret_cast<sockaddr_in&>(bound).sin_port);
    return fd;
  }

  std::vector<PendingPtr> pendings() const {
    std::lock_guard lock(mutex_);
    std::vector<PendingPtr> out;
    for (const Connection* c : connections_)
      if (c->pending) out.push_back(c->pending);
    return out;
  }

  // ---- what the library calls -------------------------------------------------------------------------------------------

  static MHD_Result may_connect(void* loop, const sockaddr* address, socklen_t) {
    auto* self = static_cast<Loop*>(loop)->server;
    if (self->options_.connections_per_peer == 0) return MHD_YES;
    const std::string peer = text_of(address);
    std::lock_guard lock(self->mutex_);
    const auto same = std::count_if(self->connections_.begin(), self->connections_.end(), [&](const Connection* c) { return c->peer == peer; });
    return same < static_cast<ptrdiff_t>(self->options_.connections_per_peer) ? MHD_YES : MHD_NO;
  }
  static std::string text_of(const sockaddr* a) {
    char text[INET6_ADDRSTRLEN] = "";
    if (a && a->sa_family == AF_INET) inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(a)->sin_addr, text, sizeof text);
    if (a && a->sa_family == AF_INET6) inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr, text, sizeof text);
    return text;
  }

  static void on_connection(void* loop, MHD_Connection* connection, void** context, MHD_ConnectionNotificationCode code) {
    auto* self = static_cast<Loop*>(loop)->server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      auto* c = new Connection;
      const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
      c->fd = info ? info->connect_fd : -1;
      if (const MHD_ConnectionInfo* from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)) c->peer = text_of(from->client_addr);
      c->deadline = Clock::now() + seconds(self->options_.request_seconds);
      *context = c;
      std::lock_guard lock(self->mutex_);
      self->connections_.insert(c);
    } else if (auto* c = static_cast<Connection*>(*context)) {
      {
        std::lock_guard lock(self->mutex_);
        self->connections_.erase(c);
      }
      delete c;
      *context = nullptr;
    }
  }

  static Connection* connection_of(MHD_Connection* connection) {
    const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? static_cast<Connection*>(info->socket_context) : nullptr;
  }

  static MHD_Result collect(void* to, MHD_ValueKind, const char* key, size_t key_size, const char* value, size_t value_size) {
    static_cast<Fields*>(to)->emplace_back(std::string(key, key_size), value ? std::string(value, value_size) : std::string());
    return MHD_YES;
  }

  static MHD_Result on_request(void* loop, MHD_Connection* connection, const char* url, const char* method, const char*,
                               const char* upload, size_t* upload_size, void** context) {
    auto* self = static_cast<Loop*>(loop)->server;
    auto* held = static_cast<PendingPtr*>(*context);
    if (!held) {
      held = new PendingPtr(std::make_shared<Pending>());
      *context = held;
      (*held)->bell = static_cast<Loop*>(loop)->bell;
      return self->begin(**held, connection, url, method);
    }
    const PendingPtr p = *held;
    if (*upload_size > 0) {
      if (p->refused) p->too_large = true;
      else if (p->request.body.size() + *upload_size > self->options_.max_body) p->too_large = true;
      else p->request.body.append(upload, *upload_size);
      if (p->too_large) std::string().swap(p->request.body);
      *upload_size = 0;
      return MHD_YES;
    }
    if (p->refused) return MHD_YES;  // its answer is queued already
    if (p->too_large) {
      p->refused = true;
      return self->queue(connection, self->too_large());
    }
    if (!p->dispatched) {
      p->dispatched = true;
      self->set_pending(connection, p);
      try {
        self->handler_(std::make_shared<HeldExchange>(p));
      } catch (const std::exception& e) {
        std::lock_guard lock(p->mutex);
        if (!p->answered) {
          p->answered = true;
          p->answer = error_response(500, e.what());
        }
      }
    }
    std::unique_lock lock(p->mutex);
    if (p->sent) return MHD_YES;
    if (p->gone) return MHD_NO;
    if (!p->answered && self->cut_off_) {
      p->answered = true;
      p->answer = stopped();
    }
    if (!p->answered) {
      p->suspended = true;
      MHD_suspend_connection(connection);
      return MHD_YES;
    }
    p->sent = true;
    ServerResponse answer = std::move(*p->answer);
    p->answer.reset();
    const bool streaming = p->streaming;
    lock.unlock();
    return streaming ? self->queue_stream(connection, answer, p) : self->queue(connection, answer);
  }

  // The line and the headers are there.
  MHD_Result begin(Pending& p, MHD_Connection* connection, const char* url, const char* method) {
    p.connection = connection;
    p.max_buffered = options_.max_buffered;
    p.request.method = method;
    p.request.path = url;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, &MicrohttpdServer::collect, &p.request.headers);
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, &MicrohttpdServer::collect, &p.request.query);
    if (Connection* c = connection_of(connection)) {
      std::lock_guard lock(mutex_);
      p.request.peer = c->peer;
      c->deadline = Clock::now() + seconds(options_.request_seconds);
    }
    std::optional<ServerResponse> no;
    if (closing_) {
      no = stopped();
    } else if (options_.refuse) {
      try {
        no = options_.refuse(p.request);
      } catch (const std::exception& e) {
        no = error_response(500, e.what());
      }
    }
    if (!no)
      if (const std::string* length = p.request.header("Content-Length"))
        if (length->size() > 18 || std::strtoull(length->c_str(), nullptr, 10) > options_.max_body) no = too_large();
    if (!no) return MHD_YES;
    p.refused = true;
    return queue(connection, *no);
  }

  ServerResponse too_large() const {
    ServerResponse r = error_response(413, "the request's body is larger than " + std::to_string(options_.max_body) + " bytes");
    r.headers.emplace_back("Connection", "close");
    return r;
  }

  void set_pending(MHD_Connection* connection, const PendingPtr& p) {
    Connection* c = connection_of(connection);
    if (!c) return;
    std::lock_guard lock(mutex_);
    c->reading = false;
    c->pending = p;
  }

  static void add_headers(MHD_Response* out, const ServerResponse& r) {
    MHD_add_response_header(out, "Content-Type", r.type.c_str());
    for (const auto& [name, value] : {std::pair("Cache-Control", "no-store"), std::pair("X-Content-Type-Options", "nosniff"),
                                      std::pair("Referrer-Policy", "no-referrer"), std::pair("Cross-Origin-Resource-Policy", "same-origin")}) {
      MHD_add_response_header(out, name, value);
    }
    for (const auto& [name, value] : r.headers) MHD_add_response_header(out, name.c_str(), value.c_str());
  }
  MHD_Result queue(MHD_Connection* connection, const ServerResponse& r) {
    MHD_Response* out = MHD_create_response_from_buffer(r.body.size(), const_cast<char*>(r.body.data()), MHD_RESPMEM_MUST_COPY);
    if (!out) return MHD_NO;
    add_headers(out, r);
    const MHD_Result done = MHD_queue_response(connection, static_cast<unsigned>(r.status), out);
    MHD_destroy_response(out);
    return done;
  }
  MHD_Result queue_stream(MHD_Connection* connection, const ServerResponse& r, const PendingPtr& p) {
    MHD_Response* out = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16u << 10, &MicrohttpdServer::more, new PendingPtr(p),
                                                          [](void* held) { delete static_cast<PendingPtr*>(held); });
    if (!out) return MHD_NO;
    add_headers(out, r);
    const MHD_Result done = MHD_queue_response(connection, static_cast<unsigned>(r.status), out);
    MHD_destroy_response(out);
    return done;
  }

  static ssize_t more(void* held, uint64_t, char* to, size_t room) {
    Pending& p = **static_cast<PendingPtr*>(held);
    std::lock_guard lock(p.mutex);
    if (p.gone) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!p.chunks.empty()) {
      const size_t n = std::min(room, p.chunks.size());
      std::memcpy(to, p.chunks.data(), n);
      p.chunks.erase(0, n);
      return static_cast<ssize_t>(n);
    }
    if (p.ended) return p.broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    if (p.connection) {
      p.suspended = true;
      MHD_suspend_connection(p.connection);
    }
    return 0;
  }

  static void on_completed(void* loop, MHD_Connection* connection, void** context, MHD_RequestTerminationCode code) {
    auto* self = static_cast<Loop*>(loop)->server;
    auto* held = static_cast<PendingPtr*>(*context);
    if (!held) return;
    *context = nullptr;
    const PendingPtr p = *held;
    delete held;
    if (Connection* c = connection_of(connection)) {
      std::lock_guard lock(self->mutex_);
      c->reading = true;
      c->pending = nullptr;
      c->deadline = Clock::now() + seconds(self->options_.idle_seconds);
    }
    leave(*p, code != MHD_REQUEST_TERMINATED_COMPLETED_OK, true);
  }

  // The client has gone (or has all it wanted: then nobody waits any more).
  static void leave(Pending& p, bool early, bool over) {
    std::function<void()> then;
    {
      std::lock_guard lock(p.mutex);
      p.gone = true;
      if (early) then.swap(p.on_gone);
      if (over) p.connection = nullptr;
      else p.wake();
    }
    if (then) then();
  }

  // ---- what the library does not see --------------------------------------------------------------------------------------

  void keep() {
    std::unique_lock lock(mutex_);
    while (!ended_) {
      changed_.wait_for(lock, std::chrono::milliseconds(250));
      const auto now = Clock::now();
      std::vector<pollfd> fds;
      std::vector<PendingPtr> waiting;
      for (Connection* c : connections_) {
        if (c->reading && c->deadline < now) {
          shutdown(c->fd, SHUT_RDWR);  // the library sees the end, and closes it
        } else if (c->pending) {
          fds.push_back({c->fd, POLLRDHUP, 0});
          waiting.push_back(c->pending);
        }
      }
      // The descriptors are open as long as the lock is held.
      if (fds.empty() || poll(fds.data(), fds.size(), 0) <= 0) continue;
      std::vector<PendingPtr> left;
      for (size_t i = 0; i < fds.size(); ++i)
        if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) left.push_back(waiting[i]);
      lock.unlock();
      for (const PendingPtr& p : left) {
        bool waits;
        {
          std::lock_guard one(p->mutex);
          waits = p->suspended;
        }
        if (waits) leave(*p, true, false);
      }
      lock.lock();
    }
  }

  ServerOptions options_;
  Handler handler_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::atomic<bool> threads_end_{false};
  uint16_t port_ = 0;
  std::thread keeper_;
  mutable std::mutex mutex_;              // before a Pending's
  std::condition_variable changed_;
  std::set<Connection*> connections_;
  bool ended_ = false;
  std::mutex stopping_mutex_;
  std::atomic<bool> closing_{false}, cut_off_{false};
};

}  // namespace
}  // namespace ppc::net

extern "C" __attribute__((visibility("default"))) ppc::net::Server* ppc_make_server(int version, ppc::net::ServerOptions options,
                                                                                      ppc::net::Handler handler, std::string* error) {
  if (version != ppc::net::kServerVersion) return nullptr;
  try {
    return new ppc::net::MicrohttpdServer(std::move(options), std::move(handler));
  } catch (const std::exception& e) {
    *error = e.what();
    return nullptr;
  }
}
