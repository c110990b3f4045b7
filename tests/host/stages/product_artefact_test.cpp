#include "stages/product_artefact.hpp"

#include <fstream>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::stages {
namespace {

using testing::equals_tensor;
using ::testing::SizeIs;
using testing::TempFolder;

const std::string kKey(64, 'a');

ImageProduct map_product(double value) {
  ImageProduct product;
  product.height_px = 20;
  product.width_px = 30;
  product.maps.emplace();
  product.maps->scores_nphw = at::full({1, 2, 5, 7}, value, at::kFloat);
  product.maps->planes = {3, 8};
  product.maps->covered = {{0, 0, 20, 30}};
  product.logits_c = at::full({9}, value, at::kFloat);
  return product;
}

TEST(Products, ComeBackAsTheyWere) {
  const TempFolder folder;
  ProductWriter writer(folder.path(), kKey);
  writer.add("a", map_product(0.25));
  writer.add("sub/b", map_product(0.5));
  EXPECT_THAT(writer.finish(), SizeIs(1));
  const ProductReader reader(folder.path(), kKey);
  EXPECT_TRUE(reader.contains("a"));
  EXPECT_FALSE(reader.contains("c"));
  const ImageProduct product = reader.read("sub/b");
  EXPECT_THAT(product.maps->scores_nphw, equals_tensor(map_product(0.5).maps->scores_nphw));
  EXPECT_THAT(product.logits_c, equals_tensor(map_product(0.5).logits_c));
  EXPECT_EQ(product.maps->planes, (std::vector<std::int64_t>{3, 8}));
  EXPECT_EQ(product.height_px, 20);
  EXPECT_EQ(product.maps->covered.at(0).right, 30.0);
  EXPECT_EQ(product.maps->value, ValueKind::evidence);
  EXPECT_THROW(reader.read("c"), ContractError);
}

TEST(Products, InstancesComeBackAsTheyWere) {
  const TempFolder folder;
  ImageProduct some = map_product(0.25), none = map_product(0.5);
  const at::Tensor first = at::arange(600).remainder(7).eq(0).view({20, 30}), second = first.logical_not();
  some.instances = {{first, 3, 0.75}, {second, 8, -2.5}};
  none.instances.emplace();
  ProductWriter writer(folder.path(), kKey);
  writer.add("some", some);
  writer.add("none", none);
  writer.add("unasked", map_product(0.5));
  writer.finish();
  const ProductReader reader(folder.path(), kKey);
  const ImageProduct read = reader.read("some");
  ASSERT_THAT(read.instances.value(), SizeIs(2));
  EXPECT_THAT(read.instances->at(0).mask_hw, equals_tensor(first));
  EXPECT_THAT(read.instances->at(1).mask_hw, equals_tensor(second));
  EXPECT_EQ(read.instances->at(0).class_id, 3);
  EXPECT_EQ(read.instances->at(1).score, -2.5);
  EXPECT_THAT(reader.read("none").instances.value(), SizeIs(0));
  EXPECT_FALSE(reader.read("unasked").instances.has_value());
}

TEST(Products, FillShardsInOrder) {
  const TempFolder folder;
  ProductWriter writer(folder.path(), kKey, /*shard_bytes=*/500);
  for (int i = 0; i < 5; ++i) writer.add("image" + std::to_string(i), map_product(i));
  const auto files = writer.finish();
  ASSERT_THAT(files, SizeIs(3));  // each image has 280 bytes of maps and 36 of logits
  EXPECT_TRUE(files.at(0).path.ends_with("maps-00000.safetensors"));
  const ProductReader reader(folder.path(), kKey);
  EXPECT_EQ(reader.read("image4").maps->scores_nphw[0][0][0][0].item<float>(), 4.0f);
}

TEST(Products, EqualOnesGiveEqualBytes) {
  const TempFolder first, second;
  std::vector<std::string> digests;
  for (const TempFolder* folder : {&first, &second}) {
    ProductWriter writer(folder->path(), kKey);
    writer.add("a", map_product(0.25));
    digests.push_back(writer.finish().at(0).digest);
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(Products, ShardsOfAnEarlierAttemptGo) {
  const TempFolder folder;
  ProductWriter earlier(folder.path(), kKey, 500);
  for (int i = 0; i < 5; ++i) earlier.add("old" + std::to_string(i), map_product(i));
  earlier.finish();
  ProductWriter writer(folder.path(), kKey);
  writer.add("new", map_product(1));
  writer.finish();
  const ProductReader reader(folder.path(), kKey);
  EXPECT_TRUE(reader.contains("new"));
  EXPECT_FALSE(reader.contains("old4"));
}

TEST(Products, LabelsKeepTheirConfidence) {
  const TempFolder folder;
  ImageProduct product;
  product.height_px = 2;
  product.width_px = 2;
  product.labels.emplace();
  product.labels->labels_nhw = at::full({1, 2, 2}, 7, at::kByte);
  product.labels->confidence_nhw = at::full({1, 2, 2}, 0.5, at::kFloat);
  ProductWriter writer(folder.path(), kKey);
  writer.add("a", product);
  EXPECT_EQ(writer.finish().at(0).name, "labels");
  const ImageProduct read = ProductReader(folder.path(), kKey).read("a");
  EXPECT_THAT(read.labels->labels_nhw, equals_tensor(product.labels->labels_nhw));
  EXPECT_THAT(read.labels->confidence_nhw, equals_tensor(product.labels->confidence_nhw));
}

TEST(Products, MissingAndDamagedOnesAreNamed) {
  const TempFolder folder;
  EXPECT_THROW(ProductReader(folder.path(), kKey), UserError);
  folder.write((protocol::stage_folder(kKey) / "maps-00000.safetensors").string(), "garbage");
  EXPECT_THROW(ProductReader(folder.path(), kKey), UserError);
}

}  // namespace
}  // namespace seedbed::stages
