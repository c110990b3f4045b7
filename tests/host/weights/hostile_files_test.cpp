#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "host/weights/fixture_values.hpp"
#include "host/weights/memory_file.hpp"
#include "host/weights/pickle_bytes.hpp"
#include "host/weights/user_error.hpp"
#include "host/weights/zip_text.hpp"
#include "support/temp_folder.hpp"
#include "weights/weights_file.hpp"

// Files that mean harm, or that an accident made: each must end in a UserError that says what is wrong.
namespace seedbed::weights::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HostileFiles : public ::testing::Test {
 protected:
  std::string error_of(const std::string& content) {
    const MemoryFile file(content);
    const std::string error = user_error_of([&] { read_weights_file(file.path()); });
    EXPECT_THAT(error, AnyOf("", StartsWith(file.path().string())));
    return error;
  }
  std::string error_of_pickle(const std::string& pickle) {
    return error_of(pytorch_zip_of(pickle, std::string(16, '\0')));
  }

  seedbed::testing::TempFolder folder_;
};

TEST_F(HostileFiles, NothingAndNonsense) {
  EXPECT_THAT(error_of(""), HasSubstr("format that is not read"));
  EXPECT_THAT(error_of("hello, world"), HasSubstr("accepted: safetensors"));
  EXPECT_THAT(error_of(std::string(257, '\0') + "ustar" + std::string(250, '\0')), HasSubstr("tar archive"));
  EXPECT_THAT(user_error_of([] { read_weights_file("no/such/file.pth"); }), HasSubstr("no/such/file.pth"));
  EXPECT_THAT(user_error_of([&] { read_weights_file(folder_.path()); }), HasSubstr("cannot be read"));
}

// ---- zip archives

TEST_F(HostileFiles, TheHandMadeArchiveIsRead) {
  const std::string pickle = dictionary_pickle(tensor_op(4, 1, tuple_op({3}), tuple_op({1})));
  EXPECT_EQ(error_of_pickle(pickle), "");
}

TEST_F(HostileFiles, NamesThatLeaveTheArchive) {
  for (const char* name : {"../data.pkl", "/etc/passwd", "a/../../data.pkl", "a\\data.pkl", "a/..", ""}) {
    EXPECT_THAT(error_of(zip_of({{name, "x"}})), HasSubstr("no plain path")) << name;
  }
  EXPECT_THAT(error_of(zip_of({{std::string("a\0b", 3), "x"}})), HasSubstr("no plain path"));
}

TEST_F(HostileFiles, ArchivesThatAreNoPyTorchFiles) {
  EXPECT_THAT(error_of(zip_of({{"word/document.xml", "x"}})), HasSubstr("no `data.pkl`"));
  EXPECT_THAT(error_of(zip_of({{"a.npy", "x"}})), HasSubstr(".npz"));
  EXPECT_THAT(error_of(zip_of({{"old/model.json", "x"}})), HasSubstr("older than PyTorch 1.4"));
}

TEST_F(HostileFiles, MembersThatLie) {
  const std::string pickle = dictionary_pickle("N");
  const auto archive = [&](const ZipText& member) { return zip_of({member, {"archive/data/0", "x"}}); };
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .num_bytes = 5})),
              HasSubstr("two sizes"));
  EXPECT_THAT(
      error_of(archive({.name = "archive/data.pkl", .content = pickle, .num_bytes = 500, .compressed_bytes = 500})),
      HasSubstr("ends too early"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .header_offset = 4000000000})),
              HasSubstr("ends too early"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .header_offset = 7})),
              HasSubstr("directory and member differ"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .checksum = 1})), HasSubstr("checksum"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .local_name = "archive/data.xkl"})),
              HasSubstr("directory and member differ"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .flags = 1})), HasSubstr("encrypted"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = pickle, .method = 12})),
              HasSubstr("accepted: stored, deflate"));
  EXPECT_THAT(error_of(archive({.name = "archive/data.pkl", .content = "\xff\xff", .method = 8})),
              HasSubstr("damaged"));
}

TEST_F(HostileFiles, MembersTwiceOrInOnePlace) {
  EXPECT_THAT(error_of(zip_of({{"a/data.pkl", "x"}, {"a/data.pkl", "x"}})), HasSubstr("twice"));
  // Many names for one piece of data: how a small file becomes large without being compressed much.
  EXPECT_THAT(
      error_of(zip_of({{"a/0", "kernel"}, {.name = "a/1", .content = "kernel", .header_offset = 0, .local_name = {}}})),
      HasSubstr("differ"));
  std::string inner = zip_of({{"a/1", "x"}});
  EXPECT_THAT(error_of(zip_of({{"a/0", inner}, {.name = "a/1", .content = "x", .header_offset = 33}})),
              HasSubstr("overlap"));
}

TEST_F(HostileFiles, ZipBombs) {
  const std::string zeros(std::size_t{65} << 20, '\0');
  const std::string packed = deflated(zeros);
  ASSERT_LT(packed.size(), 100000U);
  const auto size = static_cast<std::uint32_t>(zeros.size());
  EXPECT_THAT(error_of(zip_of({{.name = "a/data.pkl", .content = packed, .method = 8, .num_bytes = size}})),
              HasSubstr("zip bomb"));
  // And where the directory does not admit it.
  EXPECT_THAT(error_of(zip_of({{.name = "a/data.pkl", .content = packed, .method = 8, .num_bytes = 1000}})),
              HasSubstr("not as long as the archive says"));
  const std::string gzip = std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10) + packed + std::string(4, '\0');
  EXPECT_THAT(error_of(gzip + little_endian(size, 4)), HasSubstr("too large"));
  EXPECT_THAT(error_of(gzip + little_endian(1000, 4)), HasSubstr("damaged"));
}

// ---- pickles

TEST_F(HostileFiles, CodeIsNamedAndNeverRun) {
  const std::filesystem::path witness = folder_ / "witness";
  const std::string command = text_op("touch " + witness.string());
  const std::vector<std::pair<std::string, std::string>> attacks{
      {"os.system", global_op("os", "system") + command + "\x85R"},
      {"posix.system", global_op("posix", "system") + command + "\x85R"},
      {"builtins.eval", global_op("builtins", "eval") + command + "\x85R"},
      {"__builtin__.getattr", global_op("__builtin__", "getattr") + command + "\x85R"},
      {"subprocess.Popen", global_op("subprocess", "Popen") + command + "\x85\x81"},
      {"os.system", "(" + command + "ios\nsystem\n"},
      {"os.system", "(" + global_op("os", "system") + command + "o"},
      {"os.system", text_op("os") + text_op("system") + "\x93" + command + "\x85R"},
      {"torch.load", global_op("torch", "load") + command + "\x85R"},
      {"torch.jit._pickle.unpickle", global_op("torch.jit._pickle", "unpickle") + command + "\x85R"},
      {"numpy.load", global_op("numpy", "load") + command + "\x85R"}};
  for (const auto& [name, ops] : attacks) {
    for (const std::string& file : {pytorch_zip_of(dictionary_pickle(ops)), dictionary_pickle(ops)}) {
      const std::string error = error_of(file);
      EXPECT_THAT(error, HasSubstr("`" + name + "`"));
      EXPECT_THAT(error, HasSubstr("never run"));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(witness));
}

TEST_F(HostileFiles, NamesCannotReachTheTerminal) {
  const std::string error = error_of_pickle(dictionary_pickle(global_op("os\x1b[2J", "sys\x07`tem")));
  EXPECT_THAT(error, HasSubstr("`os?[2J.sys??tem`"));
  EXPECT_THAT(error_of_pickle(dictionary_pickle(global_op(std::string(100000, 'x'), "y"))).size(),
              ::testing::Lt(1000U));
}

TEST_F(HostileFiles, ATorchScriptClassIsAttributesAndNothingElse) {
  const std::string object =
      global_op("__torch__", "Net") + ")\x81}" + text_op("w") + tensor_op(4, 0, tuple_op({4}), tuple_op({1})) + "sb.";
  EXPECT_EQ(error_of_pickle("\x80\x02" + object), "");
  EXPECT_THAT(error_of_pickle(dictionary_pickle(global_op("__torch__x", "Net"))), HasSubstr("never run"));
}

TEST_F(HostileFiles, TensorsBeyondTheirData) {
  struct Case {
    std::int64_t elements, offset;
    std::string shape, strides;
  };
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const std::vector<Case> cases{{4, 0, tuple_op({5}), tuple_op({1})},
                                {4, 2, tuple_op({3}), tuple_op({1})},
                                {4, 0, tuple_op({2}), tuple_op({4})},
                                {4, 0, tuple_op({-1}), tuple_op({1})},
                                {4, 0, tuple_op({2}), tuple_op({-1})},
                                {4, -1, tuple_op({1}), tuple_op({1})},
                                {4, 0, tuple_op({2, 2}), tuple_op({1})},
                                {4, 0, tuple_op({kHuge, kHuge}), tuple_op({0, 0})},
                                {4, kHuge, tuple_op({kHuge}), tuple_op({kHuge})},
                                {4, 0, tuple_op({kHuge, 4, 0}), tuple_op({1, 1, 1})}};
  for (const Case& c : cases) {
    const std::string error = error_of_pickle(dictionary_pickle(tensor_op(c.elements, c.offset, c.shape, c.strides)));
    EXPECT_THAT(error, HasSubstr("its data cannot fill"));
  }
  EXPECT_THAT(error_of_pickle(dictionary_pickle(tensor_op(5, 0, tuple_op({1}), tuple_op({1})))),
              HasSubstr("too few bytes"));
  for (const std::int64_t elements : {std::int64_t{-1}, kHuge}) {
    EXPECT_THAT(error_of_pickle(dictionary_pickle(tensor_op(elements, 0, tuple_op({1}), tuple_op({1})))),
                HasSubstr("argument `4` of `storage`"));
  }
}

TEST_F(HostileFiles, AnExpandedTensorMayNotBecomeAbsurd) {
  const std::string error =
      error_of_pickle(dictionary_pickle(tensor_op(4, 0, tuple_op({1000000, 1000}), tuple_op({0, 0}))));
  EXPECT_THAT(error, HasSubstr("absurdly large"));
}

TEST_F(HostileFiles, DamagedInstructions) {
  const std::vector<std::string> pickles{"\x80\x06.",     // protocol 6
                                         "\x80\x02",      // no end
                                         "\x80\x02.",     // nothing made
                                         "\x80\x02)R.",   // nothing to call
                                         "\x80\x02))R.",  // a tuple is called
                                         "\x80\x02)b.",
                                         "\x80\x02))b.",  // attributes of a tuple
                                         "\x80\x02Na.",
                                         "\x80\x02NNa.",    // an item of None
                                         "\x80\x02}Nu.",    // no mark
                                         "\x80\x02}(Nu.",   // a key without value
                                         "\x80\x02h\x05.",  // never remembered
                                         "\x80\x02(((((.",
                                         "\x80\x02"
                                         "0.",
                                         "\x80\x02(1.",
                                         "\x80\x02I12x\n.",
                                         "\x80\x02"
                                         "F1,5\n.",
                                         "\x80\x02S'a\n.",
                                         "\x80\x02V\\u12\n.",
                                         "\x80\x02\x82\x01.",  // extension registry
                                         "\x80\x05\x97.",      // buffer from outside
                                         "\x80\x02\x8a\xff.",
                                         "\x80\x02X\xff\xff\xff\xff.",
                                         "\x80\x04\x8d" + std::string(8, '\xff') + ".",
                                         "\x80\x04\x95" + std::string(8, '\xff') + "N.",
                                         "\x80\x02NQ.",
                                         "\x80\x02" + text_op("a") + "Q."};
  for (std::size_t i = 0; i < pickles.size(); ++i) {
    EXPECT_THAT(error_of_pickle(pickles[i]), HasSubstr("damaged")) << "pickle " << i;
  }
}

TEST_F(HostileFiles, WrongArguments) {
  for (const std::string& ops :
       {global_op("torch._utils", "_rebuild_tensor_v2") + ")R", global_op("numpy", "dtype") + ")R",
        global_op("numpy", "dtype") + text_op("f99999999999") + "\x85R",
        global_op("_codecs", "encode") + text_op("\xe2\x82\xac") + "\x85R",
        global_op("_codecs", "encode") + text_op("a") + text_op("utf-16") + "\x86R",
        global_op("collections", "OrderedDict") + "]((K\x01K\x02K\x03te\x85R",
        global_op("numpy.core.multiarray", "scalar") + "NN\x86R"}) {
    EXPECT_THAT(error_of_pickle(dictionary_pickle(ops)), HasSubstr("is missing or of another kind"));
  }
  EXPECT_THAT(error_of_pickle(dictionary_pickle(global_op("torch", "FloatStorage") + ")R")), HasSubstr("not read"));
  EXPECT_THAT(error_of_pickle(dictionary_pickle(global_op("builtins", "int") + ")R")), HasSubstr("not read"));
}

TEST_F(HostileFiles, DeepNestingNeitherRecursesNorGrows) {
  const std::size_t depth = 300000;
  const std::string lists = "\x80\x02" + std::string(depth, ']') + std::string(depth - 1, 'a') + ".";
  EXPECT_THAT(error_of(lists), HasSubstr("no tensors"));
  std::string dictionaries = "\x80\x02";
  for (std::size_t i = 0; i < depth; ++i) dictionaries += "}U\x01x";
  dictionaries += "N" + std::string(depth, 's') + ".";
  EXPECT_THAT(error_of(dictionaries), HasSubstr("nested absurdly"));
}

TEST_F(HostileFiles, CirclesAndRepetition) {
  // A dictionary that holds itself.
  EXPECT_THAT(error_of("\x80\x02}q\x01U\x01xh\x01s."), HasSubstr("nested absurdly"));
  EXPECT_THAT(error_of("\x80\x02]q\x01h\x01"
                       "a."),
              HasSubstr("no tensors"));
  // Each dictionary holds the one before it twice: 2^60 paths to the innermost.
  std::string doubling = "\x80\x02}q";
  doubling += '\0';
  for (int level = 1; level < 60; ++level) {
    const std::string below(1, static_cast<char>(level - 1));
    doubling +=
        "}U\x01"
        "ah" +
        below +
        "sU\x01"
        "bh" +
        below + "sq" + std::string(1, static_cast<char>(level));
  }
  EXPECT_THAT(error_of(doubling + "."), HasSubstr("nested absurdly"));
}

TEST_F(HostileFiles, FewBytesCannotAskForMuch) {
  // Copies of one long text, list and dictionary, over and over.
  const std::string long_text = text_op(std::string(1000000, 'x')) + "q\x01";
  std::string texts = "\x80\x02](" + long_text + "0" + global_op("_codecs", "encode") +
                      "q\x02"
                      "0";
  for (int i = 0; i < 10000; ++i) texts += "h\x02h\x01\x85R";
  EXPECT_THAT(error_of(texts + "e."), HasSubstr("absurdly large"));

  std::string lists = "\x80\x02](](" + std::string(100000, 'N') +
                      "eq\x01"
                      "0" +
                      global_op("builtins", "list") +
                      "q\x02"
                      "0";
  for (int i = 0; i < 10000; ++i) lists += "h\x02h\x01\x85R";
  EXPECT_THAT(error_of(lists + "e."), HasSubstr("absurdly large"));

  EXPECT_THAT(error_of("\x80\x02(" + std::string(20000000, ']') + "t."), HasSubstr("too many objects"));
  EXPECT_THAT(error_of("\x80\x02N" + std::string(20000000, '2') + "."), HasSubstr("nested too deeply"));
}

TEST_F(HostileFiles, NamesThatAreNoText) {
  const std::string tensor = tensor_op(4, 0, tuple_op({4}), tuple_op({1}));
  EXPECT_THAT(error_of_pickle("\x80\x02}" + text_op("a\xff") + tensor + "s."), HasSubstr("no text"));
  EXPECT_THAT(error_of_pickle("\x80\x02}" + text_op(std::string(5000, 'a')) + tensor + "s."), HasSubstr("long name"));
}

TEST_F(HostileFiles, SeveralSetsAndNoTellingWhich) {
  const std::string tensor = tensor_op(4, 0, tuple_op({4}), tuple_op({1}));
  const auto set = [&](const char* name) { return text_op(name) + "}" + text_op("w") + tensor + "ss"; };
  const std::string error = error_of_pickle("\x80\x02}" + set("left") + set("right") + ".");
  EXPECT_THAT(error, HasSubstr("`left`, `right`"));
  EXPECT_EQ(error_of_pickle("\x80\x02}" + set("left") + set("model") + "."), "");
}

// ---- the legacy format

TEST_F(HostileFiles, LegacyFilesThatLie) {
  const std::string start = legacy_start();
  const std::string object = dictionary_pickle(tensor_op(4, 0, tuple_op({4}), tuple_op({1})));
  const std::string keys = "\x80\x02]" + text_op("0") + "a.";
  const std::string data = little_endian(4, 8) + std::string(16, '\x01');
  const std::string good = start + object + keys + data;
  EXPECT_EQ(error_of(good), "");
  EXPECT_THAT(error_of(good.substr(0, good.size() - 1)), HasSubstr("ends too early"));
  EXPECT_THAT(error_of(start.substr(0, 15) + "\x80\x02M\xe8\x03."), HasSubstr("unknown version"));
  EXPECT_THAT(error_of(start + object + keys + little_endian(1ULL << 60, 8)), HasSubstr("size"));
  EXPECT_THAT(error_of(start + object + "\x80\x02]."), HasSubstr("too few bytes"));
  EXPECT_THAT(error_of(start + object + "\x80\x02]" + text_op("9") + "a."), HasSubstr("nothing uses"));
  EXPECT_THAT(error_of(start + object + "\x80\x02N."), HasSubstr("list of its storages"));
}

}  // namespace
}  // namespace seedbed::weights::testing
