// The language server: requests and notifications of the protocol in, answers and diagnostics out. Knows nothing of streams.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "compiler/ide/workspace.h"
#include "runtime/engine/json.h"
#include "tools/lsp/text.h"

namespace ppc::lsp {

using engine::Json;

class Server {
 public:
  using Send = std::function<void(const Json&)>;
  explicit Server(Send send) : send_(std::move(send)) {}

  /// One message, as it came. It is kept until step() takes it: what comes behind it may cancel it.
  void take(const std::string& body);
  /// Something that was no message.
  void broken(const std::string& problem);
  bool has_work() const { return !queue_.empty(); }
  /// Handles the first message that is kept.
  void step();
  /// Publishes what there is to say about changed files; stops between games when `interrupted` says that there is more to read.
  void publish(const std::function<bool()>& interrupted);
  /// After `exit`.
  bool exited() const { return exited_; }
  int exit_code() const { return shut_down_ ? 0 : 1; }

 private:
  struct Document {
    std::string uri;
    int64_t version = 0;
  };
  struct Place {
    std::filesystem::path path;
    const ide::Analysis* analysis = nullptr;
    uint32_t file = 0, offset = 0;
  };

  void handle(const Json& message);
  Json answer(const std::string& method, const Json& params);
  void note(const std::string& method, const Json& params);

  Json initialize(const Json& params);
  void initialized();
  void did_open(const Json&);
  void did_change(const Json&);
  void did_close(const Json&);
  Json hover(const Json&);
  Json definition(const Json&);
  Json references(const Json&);
  Json highlights(const Json&);
  Json completion(const Json&);
  Json symbols(const Json&);
  Json code_actions(const Json&);
  Json prepare_rename(const Json&);
  Json rename(const Json&);
  Json formatting(const Json&);
  Json semantic_tokens(const Json&);

  void result(const Json& id, Json value);
  void error(const Json& id, int code, const std::string& message);

  std::filesystem::path document_path(const Json& params) const;
  /// The file of a request, in the first game that has it.
  Place file_of(const Json& params);
  Place place_of(const Json& params);
  uint32_t file_in(const ide::Analysis&, const std::filesystem::path&) const;
  const Lines& lines_of(const ide::Analysis&, uint32_t file) const;
  std::string uri(const std::filesystem::path&) const;
  Json position(const Lines&, uint32_t offset) const;
  Json range(const ide::Analysis&, Span) const;
  Json location(const ide::Analysis&, Span) const;
  Json markup(const ide::Description&) const;
  Json symbol(const ide::Analysis&, const ide::Symbol&) const;
  Json diagnostic(const ide::Analysis&, const diag::Report&) const;
  /// All places of what is declared at a place, in all games that have its file.
  struct Found { Json range; std::string uri; bool declaration = false, changes = false; };
  std::vector<Found> find_all(const Place&);

  Send send_;
  std::deque<Json> queue_;
  ide::Workspace workspace_;
  std::map<std::filesystem::path, Document> documents_;
  std::map<std::filesystem::path, std::string> published_;  // what was said last, as text
  std::set<std::filesystem::path> changed_;
  Encoding encoding_ = Encoding::Utf16;
  bool markdown_ = true, nested_symbols_ = true, watches_ = false;
  bool initialized_ = false, shut_down_ = false, exited_ = false;
  int64_t next_id_ = 1;
  mutable std::map<std::pair<const ide::Analysis*, uint32_t>, Lines> lines_;  // while one message is handled
};

/// Reads and answers until `exit` or the end of the input; returns the exit code.
int serve(int in, int out);

}  // namespace ppc::lsp
