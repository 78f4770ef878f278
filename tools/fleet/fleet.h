// Several servers with the same model that sample: which of them continues what, what happens when one is gone, and how all get new weights. What they are
// asked is in runtime/players/continuation.h; docs/training.md says how they are started.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/local/inference.h"
#include "runtime/net/transport.h"
#include "runtime/players/continuation.h"

namespace ppc::fleet {

/// How servers get weights: as an adapter of their model; as a whole model; by somebody else.
enum class Sync : uint8_t { Adapter, Weights, Command };

struct FleetOptions {
  std::vector<std::string> servers;  // base URLs, "http://HOST:PORT/v1"
  std::string model;                 // what they call it; empty: the one that they have
  std::string key, ca_file;
  int in_flight = 64;                // requests at each
  Sync sync = Sync::Weights;
  bool sends = true;                 // weights, also to servers that are back; false: another process does
  double timeout = 300;              // seconds, of a request
  double patience = 120;             // seconds to go on without any server
  double pause = 1;                  // seconds before a server that failed is asked again; doubles, up to ten
};

/// Weights that servers are to play with.
struct Weights {
  int64_t version = -1;              // the step that they are of; -1: those that servers begin with
  std::string path;                  // as servers see it
  std::string name;                  // of the adapter
};

struct FleetCounts {
  int64_t replies = 0, retries = 0;
  int64_t staleness = 0;             // sum over replies: versions between theirs and `newest`
  double seconds = 0;                // in which something was asked
  int64_t prompt_tokens = 0, reply_tokens = 0;
  int servers = 0;                   // that are up
};

/// Thread-safe; what it calls back comes on the transport's thread.
class Fleet {
 public:
  struct Request {
    std::vector<local::TokenId> prompt, ends;
    local::Sampling sampling;
    int home = -1;                   // server that has seen the beginning; -1: none
  };
  struct Answer {
    players::Continuation continuation;
    int64_t version = -1;            // of the weights
    int server = 0;
  };
  using Done = std::function<void(std::optional<Answer>, local::Failure)>;

  virtual ~Fleet() = default;
  /// Finds out what the servers have. Waits. Throws engine::InputError where there is not what is wanted, engine::SystemError when none answers.
  virtual void connect() = 0;
  /// Sends other weights to all servers, those that were gone included. Waits; not while anything is asked. Throws engine::SystemError when no server has taken them.
  virtual void publish(const Weights&) = 0;
  /// Asks each server that is up. Waits. Those that do not answer are left out, and gone. Throws engine::InputError where an answer cannot be used.
  struct Probe { std::string server; players::Continuation continuation; };
  virtual std::vector<Probe> probe(const Request&) = 0;
  /// `done` is called once, in any case.
  virtual void ask(Request, Done done) = 0;
  /// What replies are compared with, for `staleness`.
  virtual void newest(int64_t version) = 0;
  virtual FleetCounts counts() const = 0;
  virtual int64_t context() const = 0;  // tokens, the least of the servers'; INT64_MAX: they do not tell
  /// What another process of the run needs to know after connect, publish and probe to ask the same servers.
  virtual std::string state() const = 0;
  virtual void adopt(const std::string& state) = 0;
  /// What has been asked and all that follows fails as stopped.
  virtual void stop() = 0;
};
/// `note`: told when a server is gone or back. Throws engine::InputError for what is no URL.
std::shared_ptr<Fleet> make_fleet(FleetOptions, std::shared_ptr<net::Transport>, std::function<void(const std::string&)> note);

/// The model of a folder whose replies come from a fleet: renders, encodes and decodes as a model that computes here does. Masks and alternatives are refused.
/// Throws engine::InputError.
std::shared_ptr<local::Model> make_fleet_model(const local::ModelOptions&, std::shared_ptr<Fleet>);
/// What a model of the folder is asked to see what a server computes: a conversation's beginning, and what ends a reply.
Fleet::Request probe_of(const local::ModelOptions&);

}  // namespace ppc::fleet
