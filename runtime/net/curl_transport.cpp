// The transport on libcurl's multi interface: one thread, which waits for all connections together.
#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "runtime/net/transport.h"

namespace ppc::net {
namespace {

using Clock = std::chrono::steady_clock;

struct Transfer {
  HttpRequest request;
  HttpResponse response;
  std::function<void(HttpResponse)> done;
  curl_slist* headers = nullptr;
  bool too_large = false;
  char error[CURL_ERROR_SIZE] = "";
};

size_t on_body(char* bytes, size_t, size_t n, void* to) {
  auto* t = static_cast<Transfer*>(to);
  if (t->response.body.size() + n > t->request.max_bytes) {
    t->too_large = true;
    return 0;
  }
  t->response.body.append(bytes, n);
  return n;
}

size_t on_header(char* bytes, size_t, size_t n, void* to) {
  auto* t = static_cast<Transfer*>(to);
  const std::string line(bytes, n);
  if (line.rfind("HTTP/", 0) == 0) t->response.retry_after.clear();  // of an interim response
  constexpr size_t length = sizeof "retry-after:" - 1;
  if (n > length && strncasecmp(line.c_str(), "retry-after:", length) == 0) {
    const size_t from = line.find_first_not_of(" \t", length), to_ = line.find_last_not_of(" \t\r\n");
    if (from != std::string::npos && to_ >= from) t->response.retry_after = line.substr(from, to_ - from + 1);
  }
  return n;
}

Failure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT: case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_COULDNT_RESOLVE_PROXY: return Failure::Url;
    case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CONNECT_ERROR: case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: case CURLE_SSL_CIPHER: case CURLE_SSL_ISSUER_ERROR: return Failure::Tls;
    case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_CONNECT: return Failure::Connect;
    case CURLE_OPERATION_TIMEDOUT: return Failure::Timeout;
    default: return Failure::Broken;
  }
}

/// What the thread does. It outlives the transport when the last that held the transport was called back by it.
class Loop {
 public:
  Loop() : multi_(curl_multi_init()) { curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX); }
  ~Loop() {
    for (CURL* easy : idle_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
  }

  void send(HttpRequest request, std::function<void(HttpResponse)> done) {
    auto t = std::make_unique<Transfer>();
    t->request = std::move(request);
    t->done = std::move(done);
    {
      std::lock_guard lock(mutex_);
      incoming_.push_back(std::move(t));
    }
    wake();
  }
  void later(double seconds, std::function<void()> task) {
    const auto when = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    {
      std::lock_guard lock(mutex_);
      tasks_.emplace(when, std::move(task));
    }
    wake();
  }
  void stop() {
    stopped_ = true;
    wake();
  }
  bool stopped() const { return stopped_; }

  void end() {
    ended_ = true;
    stop();
  }
  void run() {
    runs_on_ = std::this_thread::get_id();
    while (true) {
      std::vector<std::unique_ptr<Transfer>> fresh;
      std::vector<std::function<void()>> due;
      int wait_ms = 10'000;
      bool stopped = false;
      woken_ = false;
      {
        std::lock_guard lock(mutex_);
        fresh.swap(incoming_);
        const auto now = Clock::now();
        stopped = stopped_;
        while (!tasks_.empty() && (stopped || tasks_.begin()->first <= now)) {
          due.push_back(std::move(tasks_.begin()->second));
          tasks_.erase(tasks_.begin());
        }
        if (!tasks_.empty()) {
          const auto left = std::chrono::ceil<std::chrono::milliseconds>(tasks_.begin()->first - now).count();
          wait_ms = static_cast<int>(std::min<int64_t>(wait_ms, left));
        }
        if (ended_ && fresh.empty() && due.empty() && active_.empty()) return;
      }
      for (auto& task : due) task();
      for (auto& t : fresh) {
        if (stopped) finish(std::move(t), Failure::Stopped, "stopped");
        else start(std::move(t));
      }
      if (stopped)
        while (!active_.empty()) {
          CURL* easy = active_.begin()->first;
          finish(take(easy), Failure::Stopped, "stopped");
        }
      int running = 0, left = 0;
      curl_multi_perform(multi_, &running);
      bool any = !due.empty();
      while (CURLMsg* m = curl_multi_info_read(multi_, &left)) {
        if (m->msg != CURLMSG_DONE) continue;
        any = true;
        CURL* easy = m->easy_handle;
        const CURLcode code = m->data.result;
        long status = 0, tunnel = 0;
        curl_off_t ready = 0;  // microseconds until a request could be sent; 0: never
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
        curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
        std::unique_ptr<Transfer> t = take(easy);
        if (t->too_large) {
          finish(std::move(t), Failure::TooLarge, "the response is too large");
        } else if (code != CURLE_OK) {
          std::string error = t->error[0] ? t->error : curl_easy_strerror(code);
          // A proxy that will not have it (407: without a password), rather than one that could not.
          const bool refused = status == 0 && tunnel >= 400 && tunnel < 500 && tunnel != 408 && tunnel != 429;
          const bool nobody = code == CURLE_OPERATION_TIMEDOUT && ready == 0;
          finish(std::move(t), refused ? Failure::Refused : nobody ? Failure::Connect : failure_of(code), std::move(error));
        } else {
          t->response.status = static_cast<int>(status);
          auto done = std::move(t->done);
          done(std::move(t->response));
        }
      }
      // What was called back may have sent something.
      if (any || ended_) continue;
      curl_multi_poll(multi_, nullptr, 0, wait_ms, nullptr);
    }
  }

 private:
  /// The thread looks again for what is new. Once is enough until it has, and itself it need not wake.
  void wake() {
    if (std::this_thread::get_id() == runs_on_ || woken_.exchange(true)) return;
    curl_multi_wakeup(multi_);
  }

  void start(std::unique_ptr<Transfer> t) {
    const HttpRequest& r = t->request;
    bool clean = r.url.find_first_of("\r\n") == std::string::npos;
    for (const std::string& h : r.headers) clean = clean && h.find_first_of("\r\n") == std::string::npos;
    if (!clean) return finish(std::move(t), Failure::Url, "a line break in the URL or in a header");
    CURL* easy = nullptr;
    if (idle_.empty()) {
      easy = curl_easy_init();
    } else {
      easy = idle_.back();
      idle_.pop_back();
    }
    auto set = [&](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
    for (const std::string& h : r.headers) t->headers = curl_slist_append(t->headers, h.c_str());
    set(CURLOPT_URL, r.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTPHEADER, t->headers);
    if (!r.body.empty()) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDS, r.body.data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
    }
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(CURLOPT_ACCEPT_ENCODING, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(r.timeout * 1000));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(r.connect_timeout * 1000));
    if (!r.proxy.empty()) set(CURLOPT_PROXY, r.proxy.c_str());
    if (!r.ca_file.empty()) set(CURLOPT_CAINFO, r.ca_file.c_str());
    set(CURLOPT_SSL_VERIFYPEER, r.verify ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, r.verify ? 2L : 0L);
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, t.get());
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, t.get());
    set(CURLOPT_ERRORBUFFER, t->error);
    kept_ = std::max<long>(kept_, r.connections);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, std::max<long>(kept_, 16));
    curl_multi_add_handle(multi_, easy);
    active_[easy] = std::move(t);
  }

  std::unique_ptr<Transfer> take(CURL* easy) {
    auto at = active_.find(easy);
    std::unique_ptr<Transfer> t = std::move(at->second);
    active_.erase(at);
    curl_multi_remove_handle(multi_, easy);
    curl_easy_reset(easy);
    if (idle_.size() < 1024) idle_.push_back(easy);
    else curl_easy_cleanup(easy);
    curl_slist_free_all(t->headers);
    t->headers = nullptr;
    return t;
  }

  static void finish(std::unique_ptr<Transfer> t, Failure failure, std::string error) {
    HttpResponse r;
    r.failure = failure;
    r.error = std::move(error);
    t->done(std::move(r));
  }

  CURLM* multi_;
  std::atomic<std::thread::id> runs_on_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> incoming_;
  std::multimap<Clock::time_point, std::function<void()>> tasks_;
  std::atomic<bool> stopped_{false}, ended_{false}, woken_{false};
  // the thread's own
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> active_;
  std::vector<CURL*> idle_;
  long kept_ = 0;
};

class CurlTransport final : public Transport {
 public:
  CurlTransport() : loop_(std::make_shared<Loop>()), thread_([loop = loop_] { loop->run(); }) {}
  ~CurlTransport() override {
    loop_->end();
    if (thread_.get_id() == std::this_thread::get_id()) thread_.detach();
    else thread_.join();
  }
  void send(HttpRequest request, std::function<void(HttpResponse)> done) override { loop_->send(std::move(request), std::move(done)); }
  void later(double seconds, std::function<void()> task) override { loop_->later(seconds, std::move(task)); }
  void stop() override { loop_->stop(); }
  bool stopped() const override { return loop_->stopped(); }

 private:
  std::shared_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace
}  // namespace ppc::net

extern "C" __attribute__((visibility("default"))) ppc::net::Transport* ppc_make_transport(int version) {
  if (version != ppc::net::kTransportVersion) return nullptr;
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  return ready == CURLE_OK ? new ppc::net::CurlTransport : nullptr;
}
