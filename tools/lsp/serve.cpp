// The server on two streams: reads all that has come before it handles the next message, so that what is cancelled is not
// computed and what is typed over is not looked at.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tools/lsp/frames.h"
#include "tools/lsp/server.h"

namespace ppc::lsp {

namespace {

/// Whether a read would not wait.
bool readable(int file) {
  pollfd p{file, POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

bool write_all(int file, const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    ssize_t n = write(file, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

int serve(int in, int out) {
  bool broken_pipe = false;
  Server server([&](const Json& message) { broken_pipe = broken_pipe || !write_all(out, framed(engine::to_text(message))); });
  Frames frames;
  bool ended = false;
  auto read_some = [&] {
    char buffer[1 << 16];
    ssize_t n = read(in, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
      ended = true;
      return;
    }
    frames.feed({buffer, static_cast<size_t>(n)});
    while (auto frame = frames.next()) {
      if (frame->problem.empty()) server.take(frame->body);
      else server.broken(frame->problem);
    }
  };
  while (!server.exited() && !broken_pipe) {
    while (!ended && readable(in)) read_some();
    if (server.has_work()) {
      server.step();
      continue;
    }
    server.publish([&] { return !ended && readable(in); });
    if (ended) break;
    if (!readable(in)) read_some();  // waits
  }
  if (broken_pipe) return 3;
  return server.exit_code();
}

}  // namespace ppc::lsp
