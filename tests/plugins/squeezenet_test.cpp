#include "squeezenet.hpp"

#include <fstream>
#include <sstream>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "images/decode.hpp"
#include "sdk/tensor/doubles.hpp"
#include "support/shared_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/npy.hpp"
#include "weights/read_weights.hpp"

namespace seedbed::squeezenet {
namespace {

using testing::all_close;

// Largest difference that two implementations may show (shared/data/squeezenet-v1.0/SOURCE.md): logits reach 60.
constexpr double kTolerance = 2e-3;

SqueezeNet squeezenet(const std::string& variant) {
  SqueezenetParameters parameters;
  parameters.variant = variant;
  return {parameters, testing::generator()};
}

// The classes in the order of the golden maps: "284:0.9998:Siamese cat, ...; 248:...".
std::vector<std::int64_t> classes_of(const std::filesystem::path& table, int image) {
  std::ifstream lines(table);
  std::string line;
  for (int i = 0; i <= image + 1; ++i) std::getline(lines, line);
  std::istringstream fields(line.substr(line.rfind('\t') + 1));
  std::vector<std::int64_t> classes;
  for (std::string field; std::getline(fields, field, ';');) classes.push_back(std::stoll(field));
  return classes;
}

TEST(SqueezeNet, EqualsCaffeOnRealImages) {
  SEEDBED_SHARED_OR_SKIP(folder, "data/squeezenet-v1.0");
  const c10::NoGradGuard no_grad;
  auto network = squeezenet("caffe_1.0");
  ASSERT_TRUE(network.load_weights(weights::read_weights(folder / "squeezenet_v1.0_decoded.safetensors")).complete());
  for (int i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i);
    SCOPED_TRACE("image " + number);
    const at::Tensor image = images::decode_image(folder / "golden" / (number + "_input_227.png"));
    ForwardRequest request;
    request.images_nchw = normalise_images(image.unsqueeze(0), network.normalisation());
    const at::Tensor final_tap = network.forward(request).taps.at("final");
    EXPECT_THAT(network.reference_logits(final_tap)[0],
                all_close(weights::read_npy(folder / "golden" / (number + "_logits.npy")), kTolerance));
    const at::Tensor classes = at::tensor(classes_of(folder / "golden" / "expected.tsv", i), at::kLong);
    ASSERT_EQ(classes.numel(), 5);
    EXPECT_THAT(network.reference_maps(final_tap)[0].index_select(0, classes),
                all_close(weights::read_npy(folder / "golden" / (number + "_top5_conv_final.npy")), kTolerance));
  }
}

TEST(SqueezeNet, HasTheNormalisationOfItsVariant) {
  EXPECT_FALSE(squeezenet("1.1").normalisation().bgr);
  EXPECT_EQ(squeezenet("1.0").normalisation().scale, 255.0);
  const Normalisation caffe = squeezenet("caffe_1.0").normalisation();
  const at::Tensor image = at::tensor({10, 20, 30}, at::kByte).view({1, 1, 1, 3});
  EXPECT_THAT(normalise_images(image, caffe).flatten(),
              all_close(at::tensor({30.0F - 104, 20.0F - 117, 10.0F - 123}), 0));
}

TEST(SqueezeNet, NamesFiveStagesInEachVariant) {
  for (const auto& [variant, strides] : std::map<std::string, std::vector<double>>{
           {"1.0", {2, 4, 8, 8, 16}}, {"1.1", {2, 4, 8, 16, 16}}, {"caffe_1.0", {2, 4, 8, 8, 16}}}) {
    const auto network = squeezenet(variant);
    for (std::size_t i = 0; i < strides.size(); ++i) {
      EXPECT_EQ(find_tap(network, "stage" + std::to_string(i + 1)).stride_px, strides[i]) << variant;
    }
    EXPECT_EQ(find_tap(network, "features.12").name, "final");
    EXPECT_EQ(find_tap(network, "fire9").channels, 512);
  }
}

TEST(SqueezeNet, KeepsItsClassifierFromOptimisers) {
  const auto network = squeezenet("1.1");
  EXPECT_FALSE(network.state().at("classifier.1.weight").requires_grad());
  EXPECT_TRUE(network.state().at("features.0.weight").requires_grad());
}

}  // namespace
}  // namespace seedbed::squeezenet
