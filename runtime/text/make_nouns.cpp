// Made once in the build: WordNet's nouns as constant data for runtime/text/nouns.cpp.
//   make_nouns INDEX.NOUN NOUN.EXC OUTPUT.CPP
// Both lists are sorted and front-coded: blocks of 16 entries, of which the first is whole and each other one says how many
// bytes it shares with the one before it. Compounds, which WordNet writes with underscores, are left out: they are no words.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr size_t kBlock = 16;

std::ifstream open(const char* path) {
  std::ifstream in(path);
  if (!in) {
    std::cerr << "make_nouns: cannot read " << path << "\n";
    std::exit(1);
  }
  return in;
}

void quoted(std::ostream& out, const std::string& bytes) {
  for (size_t i = 0; i < bytes.size(); i += 100) {
    out << "\n    \"";
    for (const char c : bytes.substr(i, 100)) {
      const auto u = static_cast<unsigned char>(c);
      if (std::isalnum(u) || c == ' ') out << c;
      else out << '\\' << u / 64 << u / 8 % 8 << u % 8;  // three octal digits never take in what follows
    }
    out << '"';
  }
}

/// One byte says how many bytes are shared and how many follow, up to 15 each; 255 before the two numbers otherwise.
std::string front_coded(const std::set<std::string>& words, std::vector<size_t>& starts) {
  std::string out, before;
  size_t i = 0;
  for (const std::string& word : words) {
    size_t shared = 0;
    if (i++ % kBlock == 0) {
      starts.push_back(out.size());
    } else {
      while (shared < word.size() && shared < before.size() && word[shared] == before[shared]) ++shared;
    }
    const size_t rest = word.size() - shared;
    if (shared < 15 && rest < 16) out += static_cast<char>(shared * 16 + rest);
    else (out += '\xff') += {static_cast<char>(shared), static_cast<char>(rest)};
    out += word.substr(shared);
    before = word;
  }
  return out;
}

void write(std::ostream& out, const std::string& name, const std::set<std::string>& words) {
  std::vector<size_t> starts;
  const std::string bytes = front_coded(words, starts);
  out << "\nconst uint32_t k" << name << "Starts[] = {";
  for (size_t i = 0; i < starts.size(); ++i) out << (i % 16 ? " " : "\n    ") << starts[i] << ",";
  out << "\n};\nconst char k" << name << "Bytes[] =";
  quoted(out, bytes);
  out << ";\nconst WordList k" << name << "{k" << name << "Bytes, k" << name << "Starts, " << starts.size() << ", "
      << words.size() << "};\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: make_nouns INDEX.NOUN NOUN.EXC OUTPUT.CPP\n";
    return 1;
  }
  std::set<std::string> nouns, compounds;
  std::map<std::string, std::string> bases;
  std::string notice;
  size_t longest = 0;
  auto index = open(argv[1]);
  for (std::string line; std::getline(index, line);) {
    if (line.starts_with("  ")) {  // the licence, a number before each line
      const size_t text = line.find(' ', 2);
      std::string said = text == std::string::npos ? "" : line.substr(text + 1);
      said.erase(said.find_last_not_of(" \r") + 1);
      notice += said + "\n";
      continue;
    }
    const std::string word = line.substr(0, line.find(' '));
    if (word.empty() || word.size() > 100) continue;
    if (word.find('_') != std::string::npos) {
      compounds.insert(word);
      continue;
    }
    nouns.insert(word);
    longest = std::max(longest, word.size());
  }
  auto list = open(argv[2]);
  for (std::string line; std::getline(list, line);) {
    // What morphology would make of the exception: the shortest of its forms that is a noun, the first of those.
    std::istringstream fields(line);
    std::string word, best;
    fields >> word;
    if (word.empty() || word.size() > 100 || word.find('_') != std::string::npos) continue;
    const auto consider = [&](const std::string& form) {
      if ((nouns.count(form) || compounds.count(form)) && (best.empty() || form.size() < best.size())) best = form;
    };
    consider(word);
    for (std::string form; fields >> form;) consider(form);
    bases[word] = best.empty() ? word : best;  // of lines for the same word the last counts
  }
  std::set<std::string> exceptions;
  for (const auto& [word, base] : bases) exceptions.insert(word + " " + base);
  if (nouns.size() < 1000 || exceptions.size() < 100 || notice.find("WordNet 3.0 Copyright") == std::string::npos) {
    std::cerr << "make_nouns: " << argv[1] << " and " << argv[2] << " are not WordNet's\n";
    return 1;
  }
  std::ofstream out(argv[3]);
  out << "// Made by make_nouns from WordNet 3.0; its licence stands below and in the program.\n"
         "#include \"runtime/text/nouns.h\"\n\nnamespace ppc::text {\n\n"
         "const size_t kLongestNoun = "
      << longest << ";\n\nextern const char kWordNetNotice[] =";
  quoted(out, notice);
  out << ";\n";
  write(out, "Nouns", nouns);
  write(out, "NounExceptions", exceptions);
  out << "\n}  // namespace ppc::text\n";
  out.close();
  if (!out) {
    std::cerr << "make_nouns: cannot write " << argv[3] << "\n";
    return 1;
  }
}
