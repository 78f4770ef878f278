#include "runtime/players/human.h"

#include <histedit.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>

#include "runtime/engine/records.h"
#include "runtime/engine/scores.h"

namespace ppc::players {
namespace {

volatile std::sig_atomic_t interrupted = 0;
void on_interrupt(int) { interrupted = 1; }

class PlainReader final : public LineReader {
 public:
  PlainReader(int input, std::ostream& output) : input_(input), output_(output) {}
  std::optional<std::string> line(const std::string& prompt) override {
    output_ << prompt << std::flush;
    while (true) {
      const size_t end = pending_.find('\n');
      if (end != std::string::npos) {
        std::string out = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        if (!out.empty() && out.back() == '\r') out.pop_back();
        return out;
      }
      if (interrupted) return std::nullopt;
      char buffer[4096];
      const ssize_t n = read(input_, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        if (pending_.empty()) return std::nullopt;
        return std::exchange(pending_, {});
      }
      pending_.append(buffer, static_cast<size_t>(n));
    }
  }

 private:
  int input_;
  std::ostream& output_;
  std::string pending_;
};

class EditReader final : public LineReader {
 public:
  EditReader() : history_(history_init()), edit_(el_init("ppc", stdin, stdout, stderr)) {
    if (!edit_ || !history_) return;
    HistEvent ev;
    ::history(history_, &ev, H_SETSIZE, 200);
    el_set(edit_, EL_CLIENTDATA, this);
    el_set(edit_, EL_PROMPT_ESC, &EditReader::prompt, '\1');
    el_set(edit_, EL_EDITOR, "emacs");
    el_set(edit_, EL_HIST, &::history, history_);
    el_set(edit_, EL_SIGNAL, 0);
    // ^C as a key, not as a signal: it then ends the line like ^D, and the terminal is left in order.
    el_set(edit_, EL_SETTY, "-d", "-isig", nullptr);
    el_set(edit_, EL_ADDFN, "ppc-leave", "Leave the game", &EditReader::leave);
    el_set(edit_, EL_BIND, "^C", "ppc-leave", nullptr);
  }
  ~EditReader() override {
    if (edit_) el_end(edit_);
    if (history_) history_end(history_);
  }
  bool good() const { return edit_ && history_; }
  std::optional<std::string> line(const std::string& prompt) override {
    prompt_ = prompt;
    left_ = false;
    int n = 0;
    const char* text = interrupted ? nullptr : el_gets(edit_, &n);
    if (!text || n <= 0 || left_ || interrupted) return std::nullopt;
    std::string out(text, static_cast<size_t>(n));
    while (!out.empty() && (out.back() == '\n' || out.back() == '\r')) out.pop_back();
    HistEvent ev;
    if (!out.empty()) ::history(history_, &ev, H_ENTER, out.c_str());
    return out;
  }

 private:
  static EditReader* self(EditLine* e) {
    void* data = nullptr;
    el_get(e, EL_CLIENTDATA, &data);
    return static_cast<EditReader*>(data);
  }
  static char* prompt(EditLine* e) { return self(e)->prompt_.data(); }
  static unsigned char leave(EditLine* e, int) {
    self(e)->left_ = true;
    return CC_EOF;
  }
  History* history_;
  EditLine* edit_;
  std::string prompt_;
  bool left_ = false;
};

class Human final : public Player {
 public:
  Human(std::shared_ptr<LineReader> lines, std::ostream& out, const engine::Manifest& m, uint32_t player, bool colour)
      : lines_(std::move(lines)), out_(out), manifest_(m), player_(player), colour_(colour) {}

  Reply reply(const Request& r) override {
    if (!greeted_) {
      greeted_ = true;
      out_ << dim("You are " + manifest_.players[player_].display + ". /rules shows the rules, /quit leaves.") << "\n";
    }
    out_ << "\n" << (colour_ ? "\x1b[36m" : "") << for_terminal(r.message) << (colour_ ? "\x1b[0m" : "") << "\n\n";
    std::string text;
    bool more = false;
    while (true) {
      const std::string prompt = more ? "... " : "> ";
      std::optional<std::string> line = lines_->line(prompt);
      if (!line) {
        out_ << "\n";
        throw PlayerLeft{};
      }
      if (!more && *line == "/rules") {
        out_ << rules_text(manifest_, player_) << std::flush;
        continue;
      }
      if (!more && *line == "/quit") throw PlayerLeft{};
      const bool goes_on = !line->empty() && line->back() == '\\';
      if (goes_on) line->pop_back();
      text += (more ? "\n" : "") + *line;
      more = goes_on;
      if (!more) return {text, {}, {}};
    }
  }

  void over(uint32_t outcome, double score, const std::string& reason) override {
    out_ << "\n" << (outcome == PPC_WON ? "You won" : outcome == PPC_LOST ? "You lost" : "The game was aborted");
    if (!reason.empty()) out_ << ": " << for_terminal(reason);
    if (!std::isnan(score)) out_ << " (score " << engine::to_text(engine::score_number(score)) << ")";
    out_ << "\n" << std::flush;
  }

 private:
  std::string dim(const std::string& s) const { return colour_ ? "\x1b[2m" + s + "\x1b[0m" : s; }
  std::shared_ptr<LineReader> lines_;
  std::ostream& out_;
  const engine::Manifest& manifest_;
  uint32_t player_;
  bool colour_;
  bool greeted_ = false;
};

}  // namespace

std::unique_ptr<LineReader> make_line_reader(int input, std::ostream& output, bool terminal) {
  if (terminal) {
    auto edit = std::make_unique<EditReader>();
    if (edit->good()) return edit;
  }
  return std::make_unique<PlainReader>(input, output);
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // no SA_RESTART: a read that waits must wake up
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

std::string for_terminal(std::string_view text) {
  std::string out;
  auto hex = [&](uint8_t b) {
    static const char digits[] = "0123456789abcdef";
    out += std::string("\\x") + digits[b >> 4] + digits[b & 15];
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<uint8_t>(text[i]);
    const uint8_t next = i + 1 < text.size() ? static_cast<uint8_t>(text[i + 1]) : 0;
    if ((b < 0x20 && b != '\n' && b != '\t') || b == 0x7F) hex(b);
    else if (b == 0xC2 && next >= 0x80 && next < 0xA0) hex(next), ++i;  // U+0080 to U+009F: terminals know some of them
    else out += text[i];
  }
  return out;
}

std::string rules_text(const engine::Manifest& m, uint32_t player) {
  std::string out = m.game + "\n";
  if (!m.doc.empty()) out += m.doc + "\n";
  for (size_t i = 0; i < m.moves.size(); ++i) {
    const engine::MoveInfo& move = m.moves[i];
    if (!move.players.empty() &&
        std::find(move.players.begin(), move.players.end(), player) == move.players.end()) continue;
    out += "\n" + move.name + ": " + move.form + "\n";
    for (const engine::RuleInfo& rule : m.rules)
      if (rule.move == move.name && rule.kind != "format") out += "  " + rule.kind + " " + rule.text + "\n";
  }
  return out;
}

std::unique_ptr<Player> make_human(std::shared_ptr<LineReader> lines, std::ostream& out, const engine::Manifest& m,
                                   uint32_t player, bool colour) {
  return std::make_unique<Human>(std::move(lines), out, m, player, colour);
}

}  // namespace ppc::players
