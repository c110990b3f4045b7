#include "images/batch_loader.hpp"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"
#include "voc_folder.hpp"

namespace seedbed::images {
namespace {

using dataset::Content;
using seedbed::testing::all_close;
using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;
using seedbed::testing::VocFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const std::vector<std::string> kFive{"a", "b", "c", "d", "e"};

std::shared_ptr<LabelledImages> accessor(const VocFolder& files) {
  return std::make_shared<LabelledImages>(
      std::make_shared<DecodedContent>(files.open()),
      Access{"a test", "train", "train", {Content::image, Content::image_labels, Content::mask}, {"saliency"}});
}

// Of VocFolder's images.
std::pair<std::int64_t, std::int64_t> size_of(const std::string& id) {
  const std::int64_t i = id.front() - 'a';
  return {20 + i, 30 + 2 * i};
}

// Planes of classes 2 and 5, one of them empty, at half of the image's resolution.
ScoreMaps half_size_maps(const std::string& id) {
  const auto [height, width] = size_of(id);
  ScoreMaps maps;
  const at::Tensor ramp = at::linspace(0, 1, width / 2).expand({1, height / 2, width / 2});
  maps.scores_nphw = at::stack({ramp, at::zeros_like(ramp)}, 1);
  maps.planes = {2, 5};
  maps.covered = {{0, 0, static_cast<double>(height), static_cast<double>(width)}};
  return maps;
}

LoaderOptions everything() {
  LoaderOptions options;
  options.image_ids = kFive;
  options.batch_size = 2;
  options.shuffle = true;
  options.image_labels = true;
  options.masks = true;
  options.raw_images = true;
  options.side = {"saliency"};
  options.maps["maps"] = [](const std::string& id, const SideReader&) { return half_size_maps(id); };
  options.labels["sure"] = [](const std::string& id) {
    const auto [height, width] = size_of(id);
    return at::full({height, width}, 7, at::kByte);
  };
  options.views = {
      {"main", ViewStart::image, dataset::input_size_from("long_side:24"),
       dataset::augmentation_from({"flip", "random_scale:0.8:1.2", "crop:20", "color_jitter:0.2:0.2:0.2:0.1"})}};
  return options;
}

std::vector<StreamBatch> epoch_of(BatchLoader& loader, std::int64_t epoch, std::int64_t first = 0) {
  std::vector<StreamBatch> batches;
  loader.start_epoch(epoch, first);
  while (auto batch = loader.next()) batches.push_back(*std::move(batch));
  return batches;
}

void expect_equal(const ViewBatch& a, const ViewBatch& b) {
  EXPECT_EQ(a.image_ids, b.image_ids);
  EXPECT_THAT(a.images_nchw, equals_tensor(b.images_nchw));
  EXPECT_THAT(a.images_raw_nhwc, equals_tensor(b.images_raw_nhwc));
  EXPECT_THAT(a.target_nhw, equals_tensor(b.target_nhw));
  EXPECT_THAT(a.present_nc, equals_tensor(b.present_nc));
  EXPECT_THAT(a.companions.at("saliency"), equals_tensor(b.companions.at("saliency")));
  EXPECT_THAT(a.companions.at("maps"), equals_tensor(b.companions.at("maps")));
  EXPECT_THAT(a.companions.at("sure"), equals_tensor(b.companions.at("sure")));
  EXPECT_THAT(a.valid.boxes_n4, equals_tensor(b.valid.boxes_n4));
  EXPECT_THAT(a.to_image_n23, equals_tensor(b.to_image_n23));
}

TEST(BatchLoader, FillsEveryPartOfABatch) {
  const VocFolder files;
  BatchLoader loader(accessor(files), everything());
  EXPECT_EQ(loader.batches_per_epoch(), 3);
  const auto batches = epoch_of(loader, 0);
  ASSERT_EQ(batches.size(), 3U);
  const ViewBatch& batch = batches[0].at("main");
  EXPECT_THAT(batch.images_nchw, has_shape({2, 3, 20, 20}));
  EXPECT_THAT(batch.images_raw_nhwc, has_shape({2, 20, 20, 3}));
  EXPECT_THAT(batch.target_nhw, has_shape({2, 20, 20}));
  EXPECT_EQ(batch.target_nhw.scalar_type(), at::kLong);
  EXPECT_THAT(batch.present_nc, has_shape({2, 20}));
  EXPECT_THAT(batch.companions.at("saliency"), has_shape({2, 1, 20, 20}));
  EXPECT_LE(batch.companions.at("saliency").max().item<float>(), 1.0F);
  EXPECT_THAT(batch.valid.boxes_n4, has_shape({2, 4}));
  EXPECT_THAT(batch.companions.at("maps"), has_shape({2, 20, 20, 20}));
  EXPECT_GT(batch.companions.at("maps").select(1, 1).max().item<float>(), 0.0F);
  EXPECT_EQ(batch.companions.at("maps").narrow(1, 2, 18).max().item<float>(), 0.0F);
  EXPECT_THAT(batch.companions.at("sure"), has_shape({2, 1, 20, 20}));
  EXPECT_EQ(batch.companions.at("sure").min().item<int>(), 7);
  EXPECT_EQ(batch.companions.at("sure").scalar_type(), at::kLong);
  EXPECT_THAT(batch.to_image_n23, has_shape({2, 2, 3}));
}

TEST(BatchLoader, MapsWithABackgroundPlaneHaveOnePlaneMore) {
  const VocFolder files;
  LoaderOptions options;
  options.image_ids = {"a"};
  options.maps["maps"] = [](const std::string& id, const SideReader&) {
    ScoreMaps maps = half_size_maps(id);
    maps.planes = {0, 5};
    return maps;
  };
  options.maps["shape"] = [](const std::string& id, const SideReader&) {
    ScoreMaps maps = half_size_maps(id);
    maps.scores_nphw = maps.scores_nphw.narrow(1, 0, 1);
    maps.planes = {};
    return maps;
  };
  BatchLoader loader(accessor(files), options);
  const ViewBatch batch = epoch_of(loader, 0)[0].at("main");
  EXPECT_THAT(batch.companions.at("maps"), has_shape({1, 21, 20, 30}));
  EXPECT_EQ(batch.companions.at("maps").amax({0, 2, 3}).nonzero().item<int>(), 0);
  EXPECT_THAT(batch.companions.at("shape"), has_shape({1, 1, 20, 30}));
}

TEST(BatchLoader, SideInputsOfLabelsStayLabels) {
  const VocFolder files;
  dataset::Json table = files.table();
  table["side"] = {{"cues", {{"folder", "SegmentationClass"}, {"kind", "labels"}}}};
  LoaderOptions options;
  options.image_ids = {"a", "b"};
  options.batch_size = 2;
  options.side = {"cues"};
  options.views.front().augmentation = dataset::augmentation_from({"random_scale:1.3:1.3"});
  BatchLoader loader(std::make_shared<LabelledImages>(std::make_shared<DecodedContent>(dataset::Dataset::open(table)),
                                                      Access{"a test", "train", "train", {Content::image}, {"cues"}}),
                     options);
  const at::Tensor cues = epoch_of(loader, 0)[0].at("main").companions.at("cues");
  EXPECT_EQ(cues.scalar_type(), at::kLong);
  EXPECT_TRUE(cues.eq(0).logical_or(cues.eq(1)).logical_or(cues.eq(255)).all().item<bool>());
  EXPECT_TRUE(cues[0][0].narrow(0, 26, 1).eq(255).all().item<bool>()) << "padded as labels are";
}

TEST(BatchLoader, RefusesMapsOfAPartOfTheImage) {
  const VocFolder files;
  LoaderOptions options;
  options.image_ids = {"a"};
  options.maps["maps"] = [](const std::string& id, const SideReader&) {
    ScoreMaps maps = half_size_maps(id);
    maps.covered.front().right = 12;
    return maps;
  };
  BatchLoader loader(accessor(files), options);
  EXPECT_THROW(epoch_of(loader, 0), ContractError);
}

// What is opened on the way to a map is counted with the batch, and must be declared like anything else.
TEST(BatchLoader, MapsMayBeMadeOfSideInputs) {
  const VocFolder files;
  const auto images = accessor(files);
  LoaderOptions options;
  options.image_ids = {"a", "b"};
  options.batches_ahead = 2;
  options.maps["maps"] = [](const std::string& id, const SideReader& side) {
    ScoreMaps maps = half_size_maps(id);
    maps.scores_nphw = side("saliency").to(at::kFloat).view({1, 1, size_of(id).first, size_of(id).second});
    maps.planes = {1};
    return maps;
  };
  BatchLoader loader(images, options);
  loader.start_epoch(0);
  const ViewBatch batch = loader.next()->at("main");
  EXPECT_EQ(batch.companions.at("maps").max().item<float>(), 255.0F);
  for (const protocol::LedgerEntry& entry : images->ledger()) EXPECT_EQ(entry.opens, 1) << entry.kind;
  EXPECT_EQ(images->ledger().size(), 2U);
  options.maps["maps"] = [](const std::string& id, const SideReader& side) {
    side("cues");
    return half_size_maps(id);
  };
  BatchLoader undeclared(accessor(files), options);
  EXPECT_THROW(epoch_of(undeclared, 0), ContractError);
}

TEST(BatchLoader, ABrokenCompanionIsToldByItsName) {
  const VocFolder files;
  files.folder().write("Saliency/b.png", "broken");
  BatchLoader loader(accessor(files), everything());
  try {
    epoch_of(loader, 0);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.where(), HasSubstr("Saliency/b.png"));
  }
}

TEST(BatchLoader, ThreadsAndReadingAheadChangeNothing) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.base = dataset::augmentation_from({"random_resized_crop:30:0.5"});
  options.views.push_back({"local", ViewStart::base, {}, dataset::augmentation_from({"crop:8", "blur:0.1:2"})});
  options.views.push_back({"global", ViewStart::image, {}, dataset::augmentation_from({"random_resized_crop:16"})});
  BatchLoader one(accessor(files), options);
  options.threads = 4;
  options.batches_ahead = 5;
  BatchLoader four(accessor(files), options);
  for (std::int64_t epoch : {0, 1, 7}) {
    const auto expected = epoch_of(one, epoch), found = epoch_of(four, epoch);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      for (const auto& [view, batch] : expected[i]) expect_equal(found[i].at(view), batch);
  }
}

TEST(BatchLoader, ResumesInTheMiddleOfAnEpoch) {
  const VocFolder files;
  BatchLoader loader(accessor(files), everything());
  const auto whole = epoch_of(loader, 3), rest = epoch_of(loader, 3, 1);
  ASSERT_EQ(rest.size(), 2U);
  expect_equal(rest[0].at("main"), whole[1].at("main"));
}

TEST(BatchLoader, AnEpochMayBeLeftEarly) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.threads = 3;
  options.batch_size = 1;
  BatchLoader loader(accessor(files), options);
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    loader.start_epoch(epoch);
    ASSERT_TRUE(loader.next());
  }
  EXPECT_EQ(epoch_of(loader, 20).size(), 5U);
}

TEST(BatchLoader, ShufflesByEpochAndKeepsEveryImage) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.batch_size = 5;
  BatchLoader loader(accessor(files), options);
  std::set<std::vector<std::string>> orders;
  for (std::int64_t epoch = 0; epoch < 8; ++epoch) {
    orders.insert(epoch_of(loader, epoch)[0].at("main").image_ids);
    EXPECT_THAT(*orders.rbegin(), UnorderedElementsAre("a", "b", "c", "d", "e"));
  }
  EXPECT_GT(orders.size(), 4U);
}

TEST(BatchLoader, DropsTheLastBatchWhenAsked) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.drop_last = true;
  BatchLoader loader(accessor(files), options);
  EXPECT_EQ(loader.batches_per_epoch(), 2);
  EXPECT_EQ(epoch_of(loader, 0).size(), 2U);
  options.batch_size = 6;
  EXPECT_THROW(BatchLoader(accessor(files), options), UserError);
}

TEST(BatchLoader, PadsToTheLargestImage) {
  const VocFolder files;
  LoaderOptions options;
  options.image_ids = kFive;
  options.batch_size = 5;
  options.masks = true;
  BatchLoader loader(accessor(files), options);
  const ViewBatch batch = epoch_of(loader, 0)[0].at("main");
  EXPECT_THAT(batch.images_nchw, has_shape({5, 3, 24, 38}));
  EXPECT_THAT(batch.valid.boxes_n4[1], equals_tensor(at::tensor({0, 0, 21, 32}, at::kLong)));
  EXPECT_EQ(batch.images_nchw[0].narrow(1, 20, 4).abs().sum().item<float>(), 0.0F);
  EXPECT_EQ(batch.images_nchw[0].narrow(2, 30, 8).abs().sum().item<float>(), 0.0F);
  EXPECT_TRUE(batch.target_nhw[0].narrow(0, 20, 4).eq(255).all().item<bool>());
}

TEST(BatchLoader, NormalisesAsAsked) {
  const VocFolder files;
  LoaderOptions options;
  options.image_ids = {"a"};
  options.raw_images = true;
  options.normalisation = {{104, 117, 123}, {1, 1, 1}, 1.0, true};
  BatchLoader loader(accessor(files), options);
  const ViewBatch batch = epoch_of(loader, 0)[0].at("main");
  const at::Tensor blue = batch.images_raw_nhwc.select(3, 2).to(at::kFloat) - 104;
  EXPECT_THAT(batch.images_nchw.select(1, 0).contiguous(), all_close(blue, 1e-5));
}

TEST(BatchLoader, TakesTargetsFromItsCaller) {
  const VocFolder files;
  LoaderOptions options;
  options.image_ids = {"a", "b"};
  options.target = [](const std::string& id) {
    return at::full({id == "a" ? 20 : 21, id == "a" ? 30 : 32}, id == "a" ? 3 : 4, at::kByte);
  };
  BatchLoader loader(accessor(files), options);
  const auto batches = epoch_of(loader, 0);
  EXPECT_EQ(batches[0].at("main").target_nhw.max().item<int>(), 3);
  EXPECT_EQ(batches[1].at("main").target_nhw.max().item<int>(), 4);
  options.target = [](const std::string&) { return at::zeros({1, 1}, at::kByte); };
  BatchLoader wrong(accessor(files), options);
  EXPECT_THROW(epoch_of(wrong, 0), ContractError);
}

TEST(BatchLoader, ViewsSeeTheSameImagesDifferently) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.views.push_back(options.views.front());
  options.views.back().name = "local0";
  BatchLoader loader(accessor(files), options);
  const auto batches = epoch_of(loader, 0);
  EXPECT_EQ(batches[0].at("main").image_ids, batches[0].at("local0").image_ids);
  EXPECT_FALSE(batches[0].at("main").images_nchw.equal(batches[0].at("local0").images_nchw));
}

// Views from `base` share its crop and flip, and differ behind it; views from `main` begin with its pixels.
TEST(BatchLoader, ViewsMayBeginWhereOthersDo) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.base = dataset::augmentation_from({"flip", "crop:16"});
  options.views.front().augmentation = dataset::augmentation_from({"color_jitter:0.9:0.9:0.9:0.1"});
  options.views.push_back({"plain", ViewStart::base, {}, {}});
  options.views.push_back({"same", ViewStart::main, {}, {}});
  options.views.push_back({"small", ViewStart::base, dataset::input_size_from("square:8"), {}});
  options.views.push_back({"own", ViewStart::image, {}, dataset::augmentation_from({"flip", "crop:16"})});
  options.batch_size = 5;
  BatchLoader loader(accessor(files), options);
  bool own_differs = false;
  for (std::int64_t epoch : {0, 1, 2}) {
    const StreamBatch batch = epoch_of(loader, epoch)[0];
    const ViewBatch &main = batch.at("main"), &plain = batch.at("plain"), &small = batch.at("small");
    expect_equal(batch.at("same"), main);
    EXPECT_THAT(plain.to_image_n23, equals_tensor(main.to_image_n23));
    EXPECT_THAT(plain.companions.at("maps"), equals_tensor(main.companions.at("maps")));
    EXPECT_FALSE(plain.images_nchw.equal(main.images_nchw)) << "colours are main's own";
    // One pixel of the small view is two of the main one, from the same corner.
    EXPECT_THAT(small.to_image_n23.narrow(2, 0, 2).contiguous(),
                equals_tensor((main.to_image_n23.narrow(2, 0, 2) * 2).contiguous()));
    EXPECT_THAT(small.to_image_n23.select(2, 2).contiguous(),
                equals_tensor(main.to_image_n23.select(2, 2).contiguous()));
    own_differs = own_differs || !batch.at("own").to_image_n23.equal(main.to_image_n23);
  }
  EXPECT_TRUE(own_differs);
}

TEST(BatchLoader, TheFirstViewIsMain) {
  const VocFolder files;
  LoaderOptions options = everything();
  options.views.front().name = "other";
  EXPECT_THROW(BatchLoader(accessor(files), options), ContractError);
  options.views.clear();
  EXPECT_THROW(BatchLoader(accessor(files), options), ContractError);
}

TEST(ViewStart, HasThreeNames) {
  EXPECT_EQ(view_start_from("image"), ViewStart::image);
  EXPECT_EQ(view_start_from("base"), ViewStart::base);
  EXPECT_EQ(view_start_from("main"), ViewStart::main);
  EXPECT_THROW(view_start_from("local"), UserError);
}

TEST(BatchLoader, ABrokenImageFailsTheEpoch) {
  const VocFolder files;
  files.folder().write("JPEGImages/c.jpg", "broken");
  LoaderOptions options = everything();
  options.threads = 2;
  BatchLoader loader(accessor(files), options);
  try {
    epoch_of(loader, 0);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.where(), HasSubstr("c.jpg"));
  }
  EXPECT_FALSE(loader.next());
}

TEST(BatchLoader, ABrokenImageMayBeReplacedByTheNextOne) {
  const VocFolder files;
  files.folder().write("JPEGImages/c.jpg", "broken");
  LoaderOptions options = everything();
  options.shuffle = false;
  options.on_broken_image = OnBrokenImage::skip;
  BatchLoader loader(accessor(files), options);
  const auto batches = epoch_of(loader, 0);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_THAT(batches[1].at("main").image_ids, ElementsAre("d", "d"));
  EXPECT_THAT(loader.broken_images(), ElementsAre("c"));
}

TEST(BatchLoader, NothingReadableIsAnError) {
  const VocFolder files(1);
  files.folder().write("JPEGImages/a.jpg", "broken");
  LoaderOptions options;
  options.image_ids = {"a"};
  options.on_broken_image = OnBrokenImage::skip;
  BatchLoader loader(accessor(files), options);
  EXPECT_THROW(epoch_of(loader, 0), UserError);
  options.image_ids = {};
  EXPECT_THROW(BatchLoader(accessor(files), options), UserError);
}

TEST(BatchLoader, CountsWhatItHandsOutAndNotWhatItReadAhead) {
  const VocFolder files;
  const auto images = accessor(files);
  LoaderOptions options = everything();
  options.batches_ahead = 3;
  BatchLoader loader(images, options);
  loader.start_epoch(0);
  ASSERT_TRUE(loader.next());
  for (const protocol::LedgerEntry& entry : images->ledger()) {
    EXPECT_EQ(entry.images, 2) << entry.kind;
    EXPECT_EQ(entry.opens, 2) << entry.kind;
  }
  EXPECT_EQ(images->ledger().size(), 4U);
}

TEST(BatchLoader, RefusesWhatWasNotDeclared) {
  const VocFolder files;
  const auto images = std::make_shared<LabelledImages>(std::make_shared<DecodedContent>(files.open()),
                                                       Access{"cam", "train", "train", {Content::image}, {}});
  EXPECT_THROW(BatchLoader(images, everything()), ContractError);
}

TEST(OnBrokenImage, HasTwoNames) {
  EXPECT_EQ(on_broken_image_from("fail"), OnBrokenImage::fail);
  EXPECT_EQ(on_broken_image_from("skip"), OnBrokenImage::skip);
  EXPECT_THROW(on_broken_image_from("ignore"), UserError);
}

}  // namespace
}  // namespace seedbed::images
