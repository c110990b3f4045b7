#include "weights/unpickler.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "weights/pickle_text.hpp"
#include "weights/refusal.hpp"

// The opcodes: PEP 3154 and its forerunners, as Python's pickletools lists them.
namespace seedbed::weights::pickle {
namespace {

constexpr char kStop = '.';

// One byte of a pickle can put a pointer on the stack or into the memo.
constexpr std::size_t kMostOnStack = std::size_t{8} << 20;

// Two's complement of up to eight bytes.
std::int64_t small_integer(std::string_view little_endian) {
  const bool negative = !little_endian.empty() && (static_cast<unsigned char>(little_endian.back()) & 0x80u) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  std::memcpy(&value, little_endian.data(), little_endian.size());
  return static_cast<std::int64_t>(value);
}

double big_endian_double(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (const char byte : bytes) bits = bits << 8 | static_cast<unsigned char>(byte);
  return std::bit_cast<double>(bits);
}

template <typename T>
bool parse_whole(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Unpickler::Unpickler(Tree& tree, std::size_t position, FindStorage find_storage)
    : tree_(tree),
      reader_(tree.source().text(), tree.where(), "pickle", position),
      find_storage_(std::move(find_storage)) {}

Node* Unpickler::read() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (true) {
    const char opcode = reader_.number<char>();
    if (opcode == kStop) break;
    const bool known = use_memo(opcode) || push_number(opcode) || push_text(opcode) || make_container(opcode) ||
                       add_to_container(opcode) || construct_object(opcode) || push_bytes(opcode) ||
                       use_stack(opcode) || skip_framing(opcode);
    if (!known) refuse_damaged("it holds an unknown instruction");
  }
  return pop();
}

bool Unpickler::push_number(char opcode) {
  switch (opcode) {
    case 'N':
      push(None{});
      return true;
    case '\x88':
      push(true);
      return true;
    case '\x89':
      push(false);
      return true;
    case 'J':
      push(std::int64_t{reader_.number<std::int32_t>()});
      return true;
    case 'K':
      push(std::int64_t{reader_.number<std::uint8_t>()});
      return true;
    case 'M':
      push(std::int64_t{reader_.number<std::uint16_t>()});
      return true;
    case 'G':
      push(big_endian_double(reader_.take(8)));
      return true;
    case '\x8a':
      push_long(reader_.number<std::uint8_t>());
      return true;
    case '\x8b':
      push_long(reader_.number<std::uint32_t>());
      return true;
    case 'I':
    case 'L':
    case 'F':
      push_line_number(opcode);
      return true;
    default:
      return false;
  }
}

// Protocol 0: `I01` true, `I-5`, `L5L`, `F0.5`.
void Unpickler::push_line_number(char opcode) {
  std::string_view line = reader_.take_line();
  if (opcode == 'I' && (line == "00" || line == "01")) return push(line == "01");
  if (opcode == 'L' && line.ends_with('L')) line.remove_suffix(1);
  std::int64_t integer = 0;
  double number = 0;
  if (opcode != 'F' && parse_whole(line, integer)) return push(integer);
  if (opcode == 'F' && parse_whole(line, number)) return push(number);
  const bool digits =
      !line.empty() && line.find_first_not_of("0123456789", line.front() == '-') == std::string_view::npos;
  if (opcode != 'F' && digits) return push(BigInteger{line});
  refuse_damaged("a number cannot be read");
}

void Unpickler::push_long(std::uint64_t num_bytes) {
  const std::string_view bytes = reader_.take(num_bytes);
  if (bytes.size() <= sizeof(std::int64_t)) {
    push(small_integer(bytes));
  } else {
    push(BigInteger{bytes});
  }
}

bool Unpickler::push_text(char opcode) {
  switch (opcode) {
    case 'X':
      push(Text{reader_.take(reader_.number<std::uint32_t>())});
      return true;
    case '\x8c':
      push(Text{reader_.take(reader_.number<std::uint8_t>())});
      return true;
    case '\x8d':
      push(Text{reader_.take(reader_.number<std::uint64_t>())});
      return true;
    case 'U':
      push(Text{reader_.take(reader_.number<std::uint8_t>())});
      return true;
    case 'T':
      push(Text{reader_.take(reader_.number<std::uint32_t>())});
      return true;
    case 'S':
    case 'V': {
      const std::string_view line = reader_.take_line();
      auto text = opcode == 'S' ? unquote(line) : decode_raw_unicode(line);
      if (!text) refuse_damaged("a text cannot be read");
      push(Text{tree_.add_text(std::move(*text))});
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::push_bytes(char opcode) {
  switch (opcode) {
    case 'C':
      push(Bytes{reader_.take(reader_.number<std::uint8_t>())});
      return true;
    case 'B':
      push(Bytes{reader_.take(reader_.number<std::uint32_t>())});
      return true;
    case '\x8e':
    case '\x96':
      push(Bytes{reader_.take(reader_.number<std::uint64_t>())});
      return true;
    case '\x98':
      return true;  // marks the buffer on top as read-only
    case '\x97':
      refuse_damaged("it wants a buffer from outside of the file");
    default:
      return false;
  }
}

bool Unpickler::make_container(char opcode) {
  switch (opcode) {
    case ')':
    case ']':
    case '\x8f':
      push(Sequence{});
      return true;
    case '}':
      push(Dictionary{});
      return true;
    case 't':
    case 'l':
    case '\x91':
      push(Sequence{pop_to_mark()});
      return true;
    case '\x85':
      push(Sequence{pop_last(1)});
      return true;
    case '\x86':
      push(Sequence{pop_last(2)});
      return true;
    case '\x87':
      push(Sequence{pop_last(3)});
      return true;
    case 'd': {
      const std::vector<Node*> items = pop_to_mark();
      push(Dictionary{});
      add_pairs(items);
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::add_to_container(char opcode) {
  switch (opcode) {
    case 'a':
      add_items(pop_last(1));
      return true;
    case 'e':
    case '\x90':
      add_items(pop_to_mark());
      return true;
    case 's':
      add_pairs(pop_last(2));
      return true;
    case 'u':
      add_pairs(pop_to_mark());
      return true;
    default:
      return false;
  }
}

void Unpickler::add_items(const std::vector<Node*>& items) {
  auto* sequence = top().get<Sequence>();
  if (!sequence) refuse_damaged("it adds an item to something that holds none");
  sequence->items.insert(sequence->items.end(), items.begin(), items.end());
}

void Unpickler::add_pairs(const std::vector<Node*>& items) {
  auto* dictionary = top().get<Dictionary>();
  if (!dictionary || items.size() % 2 != 0) refuse_damaged("it adds an entry to something that holds none");
  for (std::size_t i = 0; i < items.size(); i += 2) dictionary->entries.emplace_back(items[i], items[i + 1]);
}

bool Unpickler::use_memo(char opcode) {
  switch (opcode) {
    case 'q':
      remember(reader_.number<std::uint8_t>());
      return true;
    case 'r':
      remember(reader_.number<std::uint32_t>());
      return true;
    case '\x94':
      remember(memo_.size());
      return true;
    case 'h':
      recall(reader_.number<std::uint8_t>());
      return true;
    case 'j':
      recall(reader_.number<std::uint32_t>());
      return true;
    case 'p':
    case 'g': {
      std::uint64_t index = 0;
      if (!parse_whole(reader_.take_line(), index)) refuse_damaged("a number cannot be read");
      opcode == 'p' ? remember(index) : recall(index);
      return true;
    }
    default:
      return false;
  }
}

void Unpickler::remember(std::uint64_t index) {
  if (memo_.size() >= kMostOnStack) refuse_damaged("it remembers too many objects");
  memo_[index] = &top();
}

void Unpickler::recall(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) refuse_damaged("it recalls something that it never remembered");
  push_node(found->second);
}

bool Unpickler::use_stack(char opcode) {
  switch (opcode) {
    case '(':
      if (marks_.size() >= kMostOnStack) refuse_damaged("it is nested too deeply");
      marks_.push_back(stack_.size());
      return true;
    case '0':
      if (stack_.size() == stack_floor() && !marks_.empty()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1':
      pop_to_mark();
      return true;
    case '2':
      push_node(&top());
      return true;
    default:
      return false;
  }
}

bool Unpickler::construct_object(char opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = reader_.take_line();
      push_node(find_global(tree_, module, reader_.take_line()));
      return true;
    }
    case '\x93':
      push_global_from_stack();
      return true;
    case 'R':
    case '\x81': {
      Node* const arguments = pop();
      push_node(construct(tree_, *pop(), *arguments));
      return true;
    }
    case '\x92':
      construct_with_names();
      return true;
    case 'b': {
      Node* const state = pop();
      set_state(tree_, top(), *state);
      return true;
    }
    case 'i':
    case 'o':
      construct_from_marked(opcode);
      return true;
    case 'P':
      push_storage(*tree_.add(Text{reader_.take_line()}));
      return true;
    case 'Q':
      push_storage(*pop());
      return true;
    default:
      return false;
  }
}

void Unpickler::push_global_from_stack() {
  const Node* name = pop();
  const Node* module = pop();
  const auto* name_text = name->get<Text>();
  const auto* module_text = module->get<Text>();
  if (!name_text || !module_text) refuse_damaged("a name is no text");
  push_node(find_global(tree_, module_text->bytes, name_text->bytes));
}

// NEWOBJ_EX: class, arguments, named arguments. Nothing that is read takes named ones.
void Unpickler::construct_with_names() {
  const Node* names = pop();
  Node* const arguments = pop();
  const auto* named = names->get<Dictionary>();
  if (!named || !named->entries.empty()) refuse_damaged("it makes an object with named arguments");
  push_node(construct(tree_, *pop(), *arguments));
}

// Protocols 0 and 1: INST names its class in two lines, OBJ has it below the arguments.
void Unpickler::construct_from_marked(char opcode) {
  Node* callable = nullptr;
  if (opcode == 'i') {
    const std::string_view module = reader_.take_line();
    callable = find_global(tree_, module, reader_.take_line());
  }
  Sequence arguments{pop_to_mark()};
  if (!callable) {
    if (arguments.items.empty()) refuse_damaged("it makes an object of no class");
    callable = arguments.items.front();
    arguments.items.erase(arguments.items.begin());
  }
  push_node(construct(tree_, *callable, *tree_.add(std::move(arguments))));
}

void Unpickler::push_storage(const Node& id) {
  if (!find_storage_) refuse_damaged("it refers to data outside of itself");
  push(find_storage_(storage_reference(id, tree_.where())));
}

bool Unpickler::skip_framing(char opcode) {
  constexpr std::uint8_t kNewestProtocol = 5;
  switch (opcode) {
    case '\x80':
      if (reader_.number<std::uint8_t>() > kNewestProtocol) refuse_damaged("its protocol is newer than 5");
      return true;
    case '\x95':
      if (reader_.number<std::uint64_t>() > reader_.remaining()) refuse_damaged("a frame ends behind the file");
      return true;
    default:
      return false;
  }
}

void Unpickler::push_node(Node* node) {
  if (stack_.size() >= kMostOnStack) refuse_damaged("it is nested too deeply");
  stack_.push_back(node);
}

std::size_t Unpickler::stack_floor() const { return marks_.empty() ? 0 : marks_.back(); }

Node& Unpickler::top() {
  if (stack_.size() <= stack_floor()) refuse_damaged("it takes more than it made");
  return *stack_.back();
}

Node* Unpickler::pop() {
  Node* const node = &top();
  stack_.pop_back();
  return node;
}

std::vector<Node*> Unpickler::pop_last(std::size_t count) {
  if (stack_.size() - stack_floor() < count) refuse_damaged("it takes more than it made");
  std::vector<Node*> nodes(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return nodes;
}

std::vector<Node*> Unpickler::pop_to_mark() {
  if (marks_.empty()) refuse_damaged("it takes more than it made");
  std::vector<Node*> nodes = pop_last(stack_.size() - marks_.back());
  marks_.pop_back();
  return nodes;
}

void Unpickler::refuse_damaged(std::string_view what) const {
  refuse(tree_.where(), "The pickle is damaged or not of a kind that is read: " + std::string(what) + ", at byte `" +
                            std::to_string(reader_.position()) + "`.");
}

}  // namespace seedbed::weights::pickle
