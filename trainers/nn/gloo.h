// The names of Gloo that c10d's ProcessGroupGloo.hpp mentions. Gloo itself is inside LibTorch, but its headers do not come with every LibTorch (not
// from pip), and whoever only makes a ProcessGroupGloo neither makes these nor looks into them: pointers are all that c10d's classes have of them.
// groups.cmake makes the files by whose names they are included.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds);
};

namespace transport {
class Device;
class UnboundBuffer;
}  // namespace transport

namespace rendezvous {
class Store {
 public:
  static constexpr std::chrono::milliseconds kDefaultTimeout{30000};  // 1.13 takes it from here
  virtual ~Store() = default;
  virtual void set(const std::string&, const std::vector<char>&) = 0;
  virtual std::vector<char> get(const std::string&) = 0;
  virtual void wait(const std::vector<std::string>&) = 0;
  virtual void wait(const std::vector<std::string>&, const std::chrono::milliseconds&) = 0;
};
}  // namespace rendezvous

}  // namespace gloo
