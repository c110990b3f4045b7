#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "study_fixture.hpp"

// What a cell's tables become.
namespace seedbed::study {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ResolveTest : public StudyTest {
 protected:
  static constexpr std::string_view kAdapter = R"(schema = 1
[dataset]
kind = "scenes"
roles = { train = "0..8", measure = "0..8", select = "8..12", test = "12..16" }
[backbone]
method = "toy.transformer"
[seed_generator]
method = "toy.adapter"
)";

  Json adapter(std::string_view text) const {
    return read(std::string(kAdapter) + std::string(text)).cells.at(0).resolved;
  }
  std::string adapter_errors(std::string_view text) const {
    try {
      adapter(text);
      return {};
    } catch (const UserError& error) {
      return error.what();
    }
  }
};

TEST_F(ResolveTest, TablesStandInTheirOrder) {
  const Json cell = only_cell(R"(
[pseudo_label]
background = { rule = "threshold", value = 0.2 }
[segmenter]
head = { method = "linear" }
)");
  std::vector<std::string> names;
  for (const auto& [name, value] : cell.items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"schema", "dataset", "execution", "backbone", "seed_generator", "refiners",
                                             "pseudo_label", "segmenter", "score"}));
  EXPECT_EQ(cell.at("dataset").at("height_px"), 96) << "the data set's defaults are filled in";
  EXPECT_EQ(cell.at("execution").dump(),
            R"({"device":"auto","threads":1,"deterministic":true,"key_policy":"revision"})");
}

TEST_F(ResolveTest, AStudyOfADataSetAloneIsLegal) {
  const Study study = read("schema = 1\n[dataset]\nkind = \"scenes\"\n");
  EXPECT_TRUE(study.cells.at(0).resolved.at("score").at("targets").empty());
}

TEST_F(ResolveTest, ParametersOfEveryTypeAreFilledIn) {
  const Json parameters = only_cell("pooling = \"top_k\"\ndropout = 0\n").at("seed_generator").at("parameters");
  EXPECT_EQ(parameters.at("pooling"), "top_k");
  EXPECT_EQ(parameters.at("dropout").dump(), "0.0") << "an integer where a number is wanted";
  EXPECT_EQ(parameters.at("top_cells"), 6);
  EXPECT_EQ(parameters.size(), 16u);
}

TEST_F(ResolveTest, AMethodsPresetFillsParametersAndTables) {
  const Json generator = adapter("preset = \"soft\"\ndelta = 0.75\n").at("seed_generator");
  EXPECT_EQ(generator.at("preset"), "soft");
  EXPECT_EQ(generator.at("parameters").at("delta"), 0.75) << "the study is over the preset";
  EXPECT_EQ(generator.at("train").at("epochs"), 2);
  EXPECT_EQ(generator.at("train").at("steps"), 0) << "the preset's `epochs` is over the manifest's `steps`";
  EXPECT_EQ(generator.at("train").at("learning_rate"), 0.5) << "from the manifest's default";
  EXPECT_EQ(generator.at("localise").at("scales"), Json({0.5, 1.0}));
  EXPECT_EQ(generator.at("localise").at("fusion").at(0), "relu") << "a named list is written out";
}

TEST_F(ResolveTest, TrainingDependsOnParameters) {
  EXPECT_FALSE(adapter("").at("seed_generator").contains("train"));
  EXPECT_FALSE(adapter("train = { epochs = 3 }\n").at("seed_generator").contains("train"))
      << "of use under other parameters, so no mistake";
  EXPECT_EQ(adapter("adapt = true\n").at("seed_generator").at("train").at("steps"), 50);
}

TEST_F(ResolveTest, AGeneratorSettlesParametersOfItsBackbone) {
  EXPECT_EQ(adapter("").at("backbone").at("parameters").at("tokens"), 4);
  EXPECT_THAT(adapter_errors("[backbone.x]\n"), HasSubstr("this key is unknown: `backbone.x`"));
  EXPECT_THAT(adapter_errors("").append(errors_of(
                  "", {"backbone.method=toy.transformer", "backbone.tokens=2", "seed_generator.method=toy.adapter"})),
              AllOf(HasSubstr("the seed generator needs another `backbone.tokens`"), HasSubstr("accepted: `4`")));
  EXPECT_THAT(errors_of("", {"seed_generator.method=toy.adapter"}),
              AllOf(HasSubstr("`small_cnn` cannot serve this seed generator: it has no parameter `tokens`"),
                    HasSubstr("this backbone lacks what `toy.adapter` needs: `attention`")));
}

TEST_F(ResolveTest, SlotsAreFilledByDefaultOrByTheStudy) {
  const Json by_default = adapter("").at("seed_generator").at("uses");
  EXPECT_EQ(by_default.at("label_refiner").at("method"), "pamr");
  EXPECT_FALSE(by_default.contains("second_backbone"));
  const Json filled = adapter(
                          "uses.label_refiner = { method = \"toy.crf\", width = 2 }\n"
                          "uses.second_backbone = { method = \"small_cnn\" }\n")
                          .at("seed_generator")
                          .at("uses");
  EXPECT_EQ(filled.at("label_refiner").at("parameters").at("width"), 2.0);
  EXPECT_EQ(filled.at("second_backbone").at("kind"), "backbone");
  EXPECT_THAT(
      adapter_errors("uses.label_refinr = { method = \"pamr\" }\nuses.second_backbone = { method = \"pamr\" }\n"),
      AllOf(HasSubstr("this key is unknown: `seed_generator.uses.label_refinr`"),
            HasSubstr("unknown backbone `pamr`")));
}

TEST_F(ResolveTest, FilesAreFoundAndNamed) {
  folder_.write("model.bin", "");
  const std::string entry = "[[refiner]]\nmethod = \"toy.watershed\"\n";
  const Json refiner = only_cell(entry + "model = \"model.bin\"\n").at("refiners").at(0);
  EXPECT_EQ(refiner.at("files"), (Json{{"model", (folder_ / "model.bin").string()}}));
  EXPECT_EQ(refiner.at("parameters").at("model"), (folder_ / "model.bin").string());
  EXPECT_EQ(refiner.at("parameters").at("priors"), "");
  EXPECT_THAT(errors_of(entry), HasSubstr("`toy.watershed` needs a file: `refiner.model`"));
  EXPECT_THAT(errors_of(entry + "model = \"mode.bin\"\n"), HasSubstr("this file does not exist"));
}

TEST_F(ResolveTest, MissingFilesAreAllowedWhereTheyAreOnlyListed) {
  const auto file = folder_.write("study.toml", std::string(kBase) + "weights = \"none.safetensors\"\n");
  const Study study = read_study(file, test_catalogue(), {.sets = {}, .allow_missing_files = true});
  EXPECT_EQ(study.cells.at(0).resolved.at("seed_generator").at("files").at("weights"),
            (folder_ / "none.safetensors").string());
}

TEST_F(ResolveTest, RefinersHoldTheirPlaneTheirFitAndTheirLabels) {
  const Json refiners = only_cell(R"(
[[refiner]]
method = "toy.walk"
train = { epochs = 6 }
backbone = { method = "small_cnn", width = 8 }
keep = "file"
[[refiner]]
name = "crf"
method = "toy.crf"
preset = "wide"
)")
                            .at("refiners");
  EXPECT_EQ(refiners.at(0).at("name"), "walk") << "the id without its vendor";
  EXPECT_EQ(refiners.at(0).at("train").at("epochs"), 6);
  EXPECT_EQ(refiners.at(0).at("train").at("batch_size"), 4);
  EXPECT_EQ(refiners.at(0).at("labels"), (Json{{"rule", "two_thresholds"}, {"high", 0.3}, {"low", 0.05}}));
  EXPECT_EQ(refiners.at(0).at("backbone").at("parameters").at("width"), 8);
  EXPECT_EQ(refiners.at(0).at("keep"), "file");
  EXPECT_EQ(refiners.at(1).at("background"), (Json{{"rule", "power"}, {"alpha", 8.0}})) << "of its preset";
  EXPECT_FALSE(refiners.at(1).contains("train"));
}

TEST_F(ResolveTest, CompanionsOfAFitAreThoseThatTheMethodNames) {
  const Json refiner = only_cell(R"(
[[refiner]]
method = "toy.affinity"
companions.low.refiners.crf.background.alpha = 8
companions.sure = { labels = { rule = "two_thresholds", high = 0.3, low = 0.05 } }
)")
                           .at("refiners")
                           .at(0);
  const Json& low = refiner.at("companions").at("low");
  EXPECT_EQ(low.at("refiners").at(0).at("name"), "crf");
  EXPECT_EQ(low.at("refiners").at(0).at("background"), (Json{{"rule", "power"}, {"alpha", 8.0}}));
  EXPECT_FALSE(low.contains("labels"));
  EXPECT_EQ(refiner.at("companions").at("sure").at("labels").at("high"), 0.3);
}

TEST_F(ResolveTest, CompanionsThatDoNotFitAreFound) {
  const std::string entry = "[[refiner]]\nmethod = \"toy.affinity\"\n";
  const std::string sure = "companions.sure.labels = { rule = \"threshold\", value = 0.3 }\n";
  EXPECT_EQ(errors_of(entry + sure), "");
  EXPECT_THAT(errors_of(entry), HasSubstr("companion that is not there: `refiner.companions.sure`"));
  EXPECT_THAT(errors_of(entry + sure + "companions.lo = {}\n"), HasSubstr("nearest: `low`"));
  EXPECT_THAT(errors_of(entry + "companions.sure = {}\n"), HasSubstr("this companion is to hold labels"));
  EXPECT_THAT(errors_of(entry + sure + "companions.low.labels = { rule = \"argmax\" }\n"),
              HasSubstr("this companion is to hold maps"));
  EXPECT_THAT(errors_of(entry + "companions.sure = { labels = { rule = \"argmax\" } }\n"),
              HasSubstr("`argmax` takes maps with a background plane"));
  EXPECT_THAT(errors_of(entry + sure + "companions.sure.background = { rule = \"power\", alpha = 4 }\n"),
              HasSubstr("holds both `background` and `labels`"));
  EXPECT_THAT(errors_of(entry + sure + "companions.low.refiners = [{ method = \"toy.walk\" }]\n"),
              HasSubstr("a trained refiner on companions of training images is not available in this version"));
}

// The plane of the method's defaults gives way to that of the refiners that a preset, or the study, puts before it.
TEST_F(ResolveTest, RefinersOfACompanionMayBringItsPlane) {
  const std::string entry = "[[refiner]]\nmethod = \"random_walk_psa_pooled\"\n";
  for (const std::string words :
       {"preset = \"released\"\n", "preset = \"mctformer\"\n",
        "companions.low.refiners = [{ method = \"toy.crf\", background = { rule = \"power\", alpha = 8 } }]\n"}) {
    SCOPED_TRACE(words);
    const Json low = only_cell(entry + words).at("refiners").at(0).at("companions").at("low");
    EXPECT_FALSE(low.contains("background"));
    EXPECT_EQ(low.at("refiners").at(0).at("background").at("rule"), "power");
  }
  const Json plain = only_cell(entry).at("refiners").at(0).at("companions").at("low");
  EXPECT_EQ(plain.at("background").at("alpha"), 4.0);
  EXPECT_THAT(errors_of(entry + "preset = \"released\"\ncompanions.low.background = { rule = \"power\", alpha = 8 }\n"),
              HasSubstr("`background` takes maps without a background plane"));
}

TEST_F(ResolveTest, ARefinersNetworkIsItsOwnOrTheStudys) {
  const std::string entry = "[[refiner]]\nmethod = \"attention_affinity\"\n";
  EXPECT_THAT(errors_of(entry), HasSubstr("this backbone lacks what `attention_affinity` needs: `attention`"));
  EXPECT_EQ(errors_of(entry + "enabled = false\n"), "");
  const Json own = only_cell(entry + "backbone = { method = \"vit\", depth = 9 }\n").at("refiners").at(0);
  EXPECT_EQ(own.at("backbone").at("parameters").at("depth"), 9);
  EXPECT_EQ(errors_of(entry, {"backbone={method=\"vit\"}"}), "");
  EXPECT_THAT(errors_of(entry + "backbone = { method = \"small_cnn\" }\n", {"backbone={method=\"vit\"}"}),
              HasSubstr("this backbone lacks what `attention_affinity` needs: `attention`"));
  EXPECT_THAT(errors_of("[[refiner]]\nmethod = \"toy.crf\"\nbackbone = { method = \"vit\" }\n"),
              HasSubstr("this method asks no network: `toy.crf`"));
}

// Labels of training images are made of the maps before the refiner; one that is switched off gets none.
TEST_F(ResolveTest, TrainingLabelsThatDoNotFitAreFoundUnlessTheRefinerIsSwitchedOff) {
  const std::string crf = "[[refiner]]\nmethod = \"toy.crf\"\nbackground = { rule = \"power\", alpha = 4 }\n";
  const std::string learner = "[[refiner]]\nmethod = \"toy.pairs\"\ntrain.streams.unlabelled = { role = \"test\" }\n";
  const std::string threshold = "labels = { rule = \"threshold\", value = 0.3 }\n";
  const std::string runs =
      "labels = { rule = \"two_thresholds\", high = 0.3, low = 0.05, refiners = [{ method = \"toy.crf\" }] }\n";
  const auto over_plane = HasSubstr("takes maps without a background plane, and `toy.crf` gives maps that hold one");
  EXPECT_EQ(errors_of(learner + threshold), "");
  EXPECT_EQ(errors_of(learner + runs), "");
  for (const std::string& labels : {threshold, runs}) {
    SCOPED_TRACE(labels);
    EXPECT_THAT(errors_of(crf + learner + labels), over_plane);
    EXPECT_EQ(errors_of(crf + learner + labels + "enabled = false\n"), "");
    EXPECT_EQ(errors_of(crf + learner + labels, {"refiner.crf.enabled=false"}), "");
  }
  EXPECT_THAT(errors_of(crf + learner + "labels = { rule = \"thresold\", value = 0.3 }\nenabled = false\n"),
              HasSubstr("nearest: `threshold`"))
      << "what does not depend on the chain is checked";
}

TEST_F(ResolveTest, APresetsPlaneGivesWayToMapsThatHaveOne) {
  const Json refiners = only_cell(R"(
[[refiner]]
name = "first"
method = "toy.crf"
background = { rule = "threshold", value = 0.25 }
[[refiner]]
name = "second"
method = "toy.crf"
preset = "wide"
)")
                            .at("refiners");
  EXPECT_FALSE(refiners.at(1).contains("background"));
}

TEST_F(ResolveTest, ARefinerThatIsSwitchedOffLeavesItsBackground) {
  const std::string crf =
      "[[refiner]]\nname = \"crf\"\nmethod = \"toy.crf\"\nbackground = { rule = 'power', alpha = 4 }\n";
  const std::string pamr = "[[refiner]]\nmethod = \"pamr\"\n";
  const std::string argmax = "[pseudo_label]\nbackground = { rule = 'argmax' }\n";
  const std::vector<std::string> off{"refiner.crf.enabled=false"};
  const Json power{{"rule", "power"}, {"alpha", 4.0}};
  const Json alone = only_cell(crf + argmax, off);
  EXPECT_TRUE(alone.at("refiners").empty());
  EXPECT_EQ(alone.at("pseudo_label").at("background"), power);
  const Json passed = only_cell(crf + pamr + argmax, off);
  EXPECT_EQ(passed.at("refiners").at(0).at("background"), power);
  EXPECT_EQ(passed.at("pseudo_label").at("background").at("rule"), "argmax");
  const Json unneeded =
      only_cell(crf + pamr + argmax, {off[0], "pseudo_label.background={ rule = 'threshold', value = 0.2 }"});
  EXPECT_FALSE(unneeded.at("refiners").at(0).contains("background"));
}

TEST_F(ResolveTest, ChainsThatDoNotFitAreRefused) {
  const std::string walk = "[[refiner]]\nname = \"walk\"\nmethod = \"toy.walk\"\n";
  const std::string crf = "[[refiner]]\nname = \"crf\"\nmethod = \"toy.crf\"\n";
  const std::string plane = "background = { rule = \"power\", alpha = 4 }\n";
  folder_.write("model.bin", "");
  const std::string watershed = "[[refiner]]\nname = \"labels\"\nmethod = \"toy.watershed\"\nmodel = \"model.bin\"\n";
  const std::string argmax = "[pseudo_label]\nbackground = { rule = \"argmax\" }\n";
  EXPECT_EQ(errors_of(walk + crf + plane + argmax), "");
  EXPECT_EQ(errors_of(watershed + "[pseudo_label]\n"), "");
  EXPECT_THAT(errors_of(crf),
              HasSubstr("`toy.crf` takes maps with a background plane, and `cam` gives maps without one"));
  EXPECT_THAT(errors_of(crf + plane + walk),
              HasSubstr("`toy.walk` takes maps without a background plane, and `toy.crf` gives maps that hold one"));
  EXPECT_THAT(errors_of(watershed + crf), HasSubstr("`toy.crf` takes scores, and `toy.watershed` gives labels"));
  EXPECT_THAT(errors_of(watershed + argmax), HasSubstr("`argmax` takes score maps, and `toy.watershed` gives labels"));
}

TEST_F(ResolveTest, RulesHoldTheirNumbersOrHowTheyAreChosen) {
  const auto rule = [&](const std::string& text) {
    return only_cell("[pseudo_label]\nbackground = " + text + "\n").at("pseudo_label").at("background").dump();
  };
  EXPECT_EQ(rule("{ rule = 'threshold', value = 0.15 }"), R"({"rule":"threshold","value":0.15})");
  EXPECT_EQ(rule("{ rule = 'power', alpha = 4 }"), R"({"rule":"power","alpha":4.0})");
  EXPECT_EQ(rule("{ rule = 'two_thresholds', high = 0.3, low = 0.1 }"),
            R"({"rule":"two_thresholds","high":0.3,"low":0.1})");
  EXPECT_EQ(rule("{ rule = 'threshold', choose = { on = 'select', to = 0.5 } }"),
            R"({"rule":"threshold","choose":{"on":"select","metric":"miou_union","from":0.0,"to":0.5,"step":0.01}})");
  EXPECT_EQ(rule("{ rule = 'power', choose = { on = 'select' } }"),
            R"({"rule":"power","choose":{"on":"select","metric":"miou_union","from":1.0,"to":32.0,"step":1.0}})");
}

TEST_F(ResolveTest, TheSegmenterTakesDefaultsWhereThereAreAny) {
  const Json segmenter = only_cell(R"(
[pseudo_label]
background = { rule = "threshold", value = 0.2 }
[segmenter]
head = { method = "large_fov", preset = "toco" }
loss = [{ method = "cross_entropy" }, { name = "again", method = "cross_entropy", weight = 0.5 }]
)")
                             .at("segmenter");
  EXPECT_EQ(segmenter.at("backbone").at("method"), "small_cnn");
  EXPECT_EQ(segmenter.at("strategy").at("method"), "supervised");
  EXPECT_EQ(segmenter.at("head").at("parameters").at("dilation"), 5);
  EXPECT_EQ(segmenter.at("loss").at(0).at("name"), "cross_entropy");
  EXPECT_EQ(segmenter.at("loss").at(1).at("weight"), 0.5);
  EXPECT_EQ(segmenter.at("train").at("batch_size"), 8) << "of the strategy's manifest";
  EXPECT_EQ(segmenter.at("labels"), "pseudo_labels");
}

TEST_F(ResolveTest, AStrategyWithTermsOfItsOwnNeedsNoLoss) {
  const std::string labels = "[pseudo_label]\nbackground = { rule = \"threshold\", value = 0.2 }\n";
  const auto segmenter = [&](const std::string& text) {
    return labels + "[segmenter]\nhead = { method = \"linear\" }\n" + text;
  };
  const auto losses = [&](const std::string& text) { return only_cell(segmenter(text)).at("segmenter").at("loss"); };
  EXPECT_EQ(losses("").at(0).at("name"), "cross_entropy");
  for (const std::string strategy : {"sec", "dsrg"}) {
    const std::string line = "strategy = { method = \"" + strategy + "\" }\n";
    EXPECT_EQ(losses(line), Json::array());
    EXPECT_EQ(losses(line + "loss = []\n"), Json::array());
    EXPECT_EQ(losses(line + "loss = [{ method = \"dice\" }]\n").at(0).at("name"), "dice");
    EXPECT_THAT(errors_of("[segmenter]\nhead = { method = \"linear\" }\nlabels = \"masks\"\n" + line),
                HasSubstr("`" + strategy + "` needs the maps behind pseudo labels"));
  }
  EXPECT_THAT(errors_of(segmenter("loss = []\n")), HasSubstr("a segmenter has no loss"));
}

TEST_F(ResolveTest, AnUpperBoundNeedsNoSeeds) {
  const Study study = read(R"(schema = 1
[dataset]
kind = "scenes"
[backbone]
method = "small_cnn"
[segmenter]
head = { method = "linear" }
labels = "masks"
)");
  EXPECT_EQ(study.cells.at(0).resolved.at("score").at("targets"), Json({"predictions"}));
}

TEST_F(ResolveTest, ScoresWhatThereIs) {
  const std::string refiners =
      "[[refiner]]\nname = \"a\"\nmethod = \"pamr\"\n[[refiner]]\nname = \"b\"\nmethod = \"pamr\"\n";
  const std::string labels = "[pseudo_label]\nbackground = { rule = \"threshold\", value = 0.2 }\n";
  EXPECT_EQ(only_cell("").at("score").dump(),
            R"({"targets":["seeds"],"roles":["measure","test"],"predictions":[],"void":"background"})");
  EXPECT_EQ(only_cell(refiners).at("score").at("targets"), Json({"seeds", "a", "b"}));
  EXPECT_EQ(only_cell(refiners + labels).at("score").at("targets"), Json({"seeds", "a", "pseudo_labels"}));
}

TEST_F(ResolveTest, TargetsOfOtherCellsAreLeftOut) {
  const std::string text = R"(
[[refiner]]
method = "pamr"
enabled = false
[pseudo_label]
background = { rule = "threshold", value = 0.2 }
[segmenter]
enabled = false
head = { method = "linear" }
[score]
targets = ["pamr", "predictions", "seeds"]
)";
  const Json off = only_cell(text);
  EXPECT_EQ(off.at("score").at("targets"), Json({"seeds"}));
  EXPECT_FALSE(off.contains("segmenter"));
  const Json on = only_cell(text, {"segmenter.enabled=true", "refiner.pamr.enabled=true"});
  EXPECT_EQ(on.at("score").at("targets"), Json({"pamr", "predictions", "seeds"}));
}

// With a plane that a refiner adds, or labels that it gives, `argmax` is the rule, and maps before it have no plane.
TEST_F(ResolveTest, TargetsThatTheRuleCannotLabelAreRefused) {
  const std::string crf =
      "[[refiner]]\nmethod = \"pamr\"\n[[refiner]]\nname = \"crf\"\nmethod = \"toy.crf\"\n"
      "background = { rule = \"power\", alpha = 4 }\n";
  const std::string argmax = "[pseudo_label]\nbackground = { rule = \"argmax\" }\n";
  folder_.write("model.bin", "");
  const std::string watershed = "[[refiner]]\nmethod = \"toy.watershed\"\nmodel = \"model.bin\"\n[pseudo_label]\n";
  const auto asks = [](const std::string& targets) { return "[score]\ntargets = [" + targets + "]\n"; };
  const auto refused = [](const std::string& target) {
    return HasSubstr("makes no labels of this target, which has no background plane: `" + target + "`");
  };
  EXPECT_THAT(errors_of(crf + argmax + asks("'pseudo_labels', 'seeds'")), refused("seeds"));
  EXPECT_THAT(errors_of(crf + argmax + asks("'crf', 'pamr'")), refused("pamr"));
  EXPECT_THAT(errors_of(watershed + asks("'seeds'")), refused("seeds"));
  EXPECT_EQ(errors_of(crf + argmax + asks("'pseudo_labels', 'crf', 'image_labels'")), "");
  EXPECT_EQ(errors_of(crf + asks("'seeds', 'pamr'")), "") << "without [pseudo_label] thresholds alone are scored";
  EXPECT_EQ(errors_of(crf + argmax + asks("'seeds'"), {"refiner.crf.enabled=false"}), "") << "its rule is left";
  EXPECT_EQ(only_cell(crf + argmax).at("score").at("targets"), Json({"pseudo_labels"})) << "those that can be labelled";
  EXPECT_EQ(only_cell(crf).at("score").at("targets"), Json({"seeds", "pamr", "crf"}));
}

TEST_F(ResolveTest, ObjectsAreScoredWhereSomebodyFindsThem) {
  const std::string asked = "[score]\ntargets = [\"instances\"]\n";
  const std::vector<std::string> prm{"seed_generator.method=prm", "seed_generator.instances=response"};
  EXPECT_EQ(only_cell(asked, prm).at("score").at("targets"), Json({"instances"}));
  EXPECT_EQ(only_cell("", prm).at("score").at("targets"), Json({"seeds"})) << "asked for by name only";
  EXPECT_NE(errors_of(asked).find("`instances` one that finds objects"), std::string::npos);
  EXPECT_NE(errors_of(asked, {"seed_generator.method=prm"}).find("nothing makes"), std::string::npos) << "switched off";
}

TEST_F(ResolveTest, PredictionsHaveTellingNames) {
  const Json predictions = only_cell(R"(
[pseudo_label]
background = { rule = "threshold", value = 0.2 }
[segmenter]
head = { method = "linear" }
[score]
predictions = [
  {},
  { scales = [0.5, 1.0], flip = true, refiners = [{ method = "pamr" }, { name = "crf", method = "toy.crf" }] },
  { name = "mine", input = "long_side:64" },
]
)")
                               .at("score")
                               .at("predictions");
  EXPECT_EQ(predictions.at(0).at("name"), "predictions");
  EXPECT_EQ(predictions.at(1).at("name"), "predictions_ms_flip_pamr_crf");
  EXPECT_EQ(predictions.at(1).at("refiners").at(1).at("name"), "crf");
  EXPECT_EQ(predictions.at(2).at("name"), "mine");
  EXPECT_THAT(
      errors_of("[pseudo_label]\nbackground = { rule = \"threshold\", value = 0.2 }\n[segmenter]\nhead = { method = "
                "\"linear\" }\n[score]\npredictions = [{}, {}]\n"),
      HasSubstr("two predictions have one name: `predictions`"));
}

TEST_F(ResolveTest, GroupsAndTermsAreTyped) {
  const Json train =
      only_cell("train.groups.new.learning_rate_factor = 5\ntrain.terms.seg = { weight = 0.1, from = 2001 }\n")
          .at("seed_generator")
          .at("train");
  EXPECT_EQ(train.at("groups").dump(), R"({"new":{"learning_rate_factor":5.0}})") << "the rest is the method's";
  EXPECT_EQ(train.at("terms").dump(), R"({"seg":{"weight":0.1,"from":2001,"to":0}})");
  EXPECT_THAT(errors_of("train.groups.new.rate = 5\ntrain.terms = 3\n"),
              AllOf(HasSubstr("this key is unknown: `seed_generator.train.groups.new.rate`"),
                    HasSubstr("`seed_generator.train.terms` has the wrong type")));
}

TEST_F(ResolveTest, LabelRulesMayUseSaliencyAndLeavePixelsInDoubt) {
  const Json rule = only_cell("[pseudo_label]\nbackground = { rule = \"saliency\", floor = 0.3, conflict_count = 3 }\n")
                        .at("pseudo_label")
                        .at("background");
  EXPECT_EQ(rule.dump(), R"({"rule":"saliency","side":"saliency","salient":50.0,"soft":false,"floor":0.3,)"
                         R"("doubt_salient":true,"conflict_count":3})");
  const Json threshold = only_cell("[pseudo_label]\nbackground = { rule = \"threshold\", value = 0.3 }\n");
  EXPECT_EQ(threshold.at("pseudo_label").at("background").dump(), R"({"rule":"threshold","value":0.3})");
  const Json plane =
      only_cell("[[refiner]]\nmethod = \"toy.crf\"\nbackground = { rule = \"saliency\", soft = true }\n");
  EXPECT_EQ(plane.at("refiners").at(0).at("background").at("floor"), 0.0);
}

// Two label maps pass the refiners before they are compared: as labels, or as maps with the background of each run.
TEST_F(ResolveTest, RulesOfTwoTakeRefiners) {
  const Json rule = only_cell(R"([pseudo_label]
background = { rule = "two_powers", alpha_low = 4, alpha_high = 32, refiners = [{ method = "toy.crf" }], background_wins = true }
)")
                        .at("pseudo_label")
                        .at("background");
  EXPECT_EQ(rule.at("alpha_low"), 4.0);
  EXPECT_EQ(rule.at("refiners").at(0).at("name"), "crf");
  EXPECT_EQ(rule.at("background_wins"), true);
  const Json walk = only_cell("[[refiner]]\nmethod = \"toy.walk\"\nlabels.refiners = [{ method = \"toy.relabel\" }]\n");
  const Json& labels = walk.at("refiners").at(0).at("labels");
  EXPECT_EQ(labels.at("high"), 0.3) << "of the method's own";
  EXPECT_EQ(labels.at("refiners").at(0).at("name"), "relabel");
  EXPECT_EQ(labels.at("background_wins"), false);
}

TEST_F(ResolveTest, RulesOfTwoThatDoNotFitAreFound) {
  const auto errors = [&](const std::string& rule) {
    return errors_of("[pseudo_label]\nbackground = { " + rule + " }\n");
  };
  const std::string two = "rule = \"two_thresholds\", high = 0.3, low = 0.05, ";
  EXPECT_THAT(errors(two + "refiners = [{ method = \"toy.walk\" }]"),
              AllOf(HasSubstr("`toy.walk` takes maps without a background plane"),
                    HasSubstr("a trained refiner on labels of two runs is not available")));
  EXPECT_THAT(errors(two + "background_wins = true"), HasSubstr("has no `refiners` for its two runs"));
  EXPECT_THAT(errors(two + "refiners = []"), HasSubstr("has no `refiners` for its two runs"));
  EXPECT_THAT(errors("rule = \"threshold\", value = 0.3, refiners = [{ method = \"toy.crf\" }]"),
              HasSubstr("only a rule of two runs takes `refiners`"));
  EXPECT_THAT(errors("rule = \"two_powers\", alpha_low = 32, alpha_high = 4"),
              HasSubstr("`alpha_low` is above `alpha_high`"));
}

TEST_F(ResolveTest, LabelRulesThatDoNotFitAreFound) {
  const auto errors = [&](const std::string& rule) {
    return errors_of("[pseudo_label]\nbackground = { " + rule + " }\n");
  };
  EXPECT_THAT(errors("rule = \"saliency\", side = \"salience\""), HasSubstr("nearest: `saliency`"));
  EXPECT_THAT(errors("rule = \"saliency\", salient = 300"),
              HasSubstr("`pseudo_label.background.salient` is not legal"));
  EXPECT_THAT(errors("rule = \"threshold\", value = 0.3, floor = 0.2"),
              HasSubstr("unknown: `pseudo_label.background.floor`"));
  EXPECT_THAT(errors("rule = \"threshold\", value = 0.3, doubtful = \"void\""), HasSubstr("`ignore`, `undecided`"));
  EXPECT_THAT(errors_of("[[refiner]]\nmethod = \"toy.crf\"\nbackground = { rule = \"saliency\", floor = 0.2 }\n"),
              HasSubstr("unknown: `refiner.background.floor`"));
}

// The plane of a refiner that is switched off takes the place of `argmax`; what else the rule says stays.
TEST_F(ResolveTest, APlaneThatIsLeftKeepsTheRestOfTheRule) {
  const Json rule = only_cell(R"(
[[refiner]]
method = "toy.crf"
enabled = false
background = { rule = "power", alpha = 4 }
[pseudo_label]
background = { rule = "argmax", ignore_below = 0.5 }
)")
                        .at("pseudo_label")
                        .at("background");
  EXPECT_EQ(rule.dump(), R"({"rule":"power","alpha":4.0,"ignore_below":0.5})");
}

TEST_F(ResolveTest, ViewsLieInTheTrainTable) {
  const Json train = only_cell(R"(train.base = ["flip", "crop:32"]
train.augment = ["color_jitter:0.4:0.4:0.2:0.1:0.8"]
train.views.local = { from = "base", augment = ["blur:0.1:2:0.5"] }
train.views.global = { input = "square:64" }
)")
                         .at("seed_generator")
                         .at("train");
  EXPECT_EQ(train.at("base"), (Json{"flip", "crop:32"}));
  EXPECT_EQ(train.at("views").at("local").dump(), R"({"from":"base","input":"native","augment":["blur:0.1:2:0.5"]})");
  EXPECT_EQ(train.at("views").at("global").at("from"), "image");
}

TEST_F(ResolveTest, ViewsThatDoNotFitAreFound) {
  EXPECT_THAT(errors_of("train.views.main = {}\n"), HasSubstr("a view cannot be called `main`"));
  EXPECT_THAT(errors_of("train.views.base = {}\n"), HasSubstr("a view cannot be called `base`"));
  EXPECT_THAT(errors_of("train.views.local = { augment = [\"blurr:1:2\"] }\n"), HasSubstr("Did you mean `blur`?"));
  EXPECT_THAT(errors_of("train.views.local = { from = \"global\" }\n"), HasSubstr("`image`, `base`, `main`"));
  EXPECT_THAT(errors_of("train.views.local = { input = \"sqare:3\" }\n"), HasSubstr("Did you mean `square`?"));
  EXPECT_THAT(errors_of("train.views.local = { fro = \"base\" }\n"), HasSubstr("nearest: `from`"));
  EXPECT_THAT(errors_of("train.base = [\"crop\"]\n"), HasSubstr("`crop:SIDE[:PLACE]`"));
  const std::string twin = "[[refiner]]\nmethod = \"toy.twin\"\n";
  EXPECT_EQ(errors_of(twin), "") << "its own defaults bring the view";
  EXPECT_THAT(errors_of("[[refiner]]\nmethod = \"toy.lone\"\n"),
              HasSubstr("`toy.lone` needs a view that is not there: `refiner.train.views.second`"));
}

TEST_F(ResolveTest, ValidationIsFilledInForWhatIsFitted) {
  const Json generator = only_cell("train.validate = { on = \"select\" }\n").at("seed_generator").at("train");
  EXPECT_EQ(generator.at("validate").at("metric"), "map_macro");
  EXPECT_EQ(generator.at("validate").at("every"), 0);
  EXPECT_EQ(generator.at("validate").at("fusion").at(0), "relu") << "a list is written out";
  EXPECT_FALSE(only_cell("").at("seed_generator").at("train").contains("validate"));
  const Json segmenter = only_cell(R"(
[pseudo_label]
background = { rule = "threshold", value = 0.2 }
[segmenter]
head = { method = "linear" }
train = { checkpoint = "best", validate = { on = "select", every = 5 } }
)")
                             .at("segmenter")
                             .at("train");
  EXPECT_EQ(segmenter.at("validate").at("metric"), "miou_union");
  EXPECT_FALSE(segmenter.at("validate").contains("fusion"));
}

TEST_F(ResolveTest, ValidationsThatDoNotFitAreFound) {
  EXPECT_THAT(errors_of("train.validate = { every = 3 }\n"),
              HasSubstr("`seed_generator.train.validate` names no role"));
  EXPECT_THAT(errors_of("train.validate = { on = \"selct\" }\n"), HasSubstr("nearest: `select`"));
  EXPECT_THAT(errors_of("train.validate = { on = \"select\", metric = \"miou\" }\n"), HasSubstr("`map_macro`"));
  EXPECT_THAT(errors_of("train.validate = { on = \"select\", scales = [0.5, 1.0], fusion = [\"relu\"] }\n"),
              HasSubstr("the fusion list lacks a step: `merge_scales`"));
  EXPECT_THAT(errors_of("train.checkpoint = \"best\"\n"), HasSubstr("no validation says which checkpoint is the best"));
  EXPECT_THAT(errors_of("train.checkpoint_of = \"teacher\"\n"), HasSubstr("this fit has no teacher"));
  EXPECT_THAT(errors_of("[[refiner]]\nmethod = \"toy.walk\"\ntrain.validate = { on = \"select\" }\n"),
              HasSubstr("a trained refiner has no metric of its own"));
  EXPECT_THAT(errors_of("[segmenter]\nhead = { method = \"linear\" }\nlabels = \"masks\"\n"
                        "train.validate = { on = \"select\", metric = \"map_macro\" }\n"),
              HasSubstr("a segmenter gives no image-level scores"));
}

TEST_F(ResolveTest, OptimisersTakeTheRestFromTheirTable) {
  const Json train = only_cell(
                         "train.weight_decay = 0.5\ntrain.optimisers.adversary = { optimiser = \"adam\" }\n"
                         "train.groups.new = { learning_rate_factor = 20 }\n")
                         .at("seed_generator")
                         .at("train");
  EXPECT_EQ(train.at("optimisers").at("adversary").at("optimiser"), "adam");
  EXPECT_EQ(train.at("optimisers").at("adversary").at("weight_decay"), 0.5);
  EXPECT_EQ(train.at("groups").at("new").dump(), R"({"learning_rate_factor":20.0})") << "the other stays the method's";
  EXPECT_THAT(errors_of("train.optimisers.adversary = { epochs = 3 }\n"), HasSubstr("this key is unknown"));
}

TEST_F(ResolveTest, StreamsAreThoseThatTheMethodTakes) {
  EXPECT_THAT(errors_of("train.streams.unlabelled = { role = \"test\" }\n"),
              HasSubstr("`cam` takes no stream `unlabelled`"));
  const std::string pairs = "[[refiner]]\nmethod = \"toy.pairs\"\n";
  EXPECT_THAT(errors_of(pairs),
              HasSubstr("`toy.pairs` needs a stream that is not there: `refiner.train.streams.unlabelled`"));
  EXPECT_THAT(errors_of(pairs + "train.streams.unlabelled = { role = \"tset\" }\n"), HasSubstr("nearest: `test`"));
  EXPECT_THAT(errors_of(pairs + "train.streams.unlabelled = { augment = [\"flip\"] }\n"), HasSubstr("names no role"));
  const Json stream = only_cell(pairs + "train.streams.unlabelled = { role = \"test\", augment = [\"flip\"] }\n")
                          .at("refiners")
                          .at(0)
                          .at("train")
                          .at("streams")
                          .at("unlabelled");
  EXPECT_EQ(stream.dump(), R"({"role":"test","input":"native","augment":["flip"]})");
}

TEST_F(ResolveTest, WhatComesLaterSaysSo) {
  for (const char* text :
       {"[rounds]\ncount = 3\n", "[[source]]\nname = \"irn_cam\"\n", "weights = \"@node\"\n",
        "[[refiner]]\nmethod = \"pamr\"\ninputs = [\"main\", \"other\"]\n",
        "[[refiner]]\nmethod = \"pamr\"\nbackground = { rule = \"threshold\", choose = { on = \"select\" } }\n"}) {
    EXPECT_THAT(errors_of(text), HasSubstr("not available in this version")) << text;
  }
}

TEST_F(ResolveTest, RejectedLibrariesAreNamedForAnUnknownMethod) {
  EXPECT_THAT(errors_of("", {"seed_generator.method=mcof"}), HasSubstr("unknown seed generator `mcof`"));
}

TEST_F(ResolveTest, ErrorsStandInTheOrderOfTheFile) {
  const std::string errors = errors_of("poolin = 1\ntrain = { epochs = 0 }\n[scor]\n");
  EXPECT_LT(errors.find(":9:1: "), errors.find(":10:20: "));
  EXPECT_LT(errors.find(":10:20: "), errors.find(":11:2: "));
  EXPECT_THAT(errors, Not(HasSubstr(" cells, ")));
}

}  // namespace
}  // namespace seedbed::study
