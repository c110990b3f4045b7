#include "cli/known_weights.hpp"

#include <algorithm>
#include <array>

namespace seedbed::cli {
namespace {

constexpr auto kKnown = std::to_array<KnownWeights>({
    {"vgg16-397923af.pth", "torchvision VGG16_Weights.IMAGENET1K_V1", ""},
    {"vgg16_bn-6c64b313.pth", "torchvision VGG16_BN_Weights.IMAGENET1K_V1", ""},
    {"vgg16_features-amdegroot-88682ab5.pth", "torchvision VGG16_Weights.IMAGENET1K_FEATURES", ""},
    {"resnet18-f37072fd.pth", "torchvision ResNet18_Weights.IMAGENET1K_V1", ""},
    {"resnet18-5c106cde.pth", "torchvision before 0.10, resnet18", ""},
    {"resnet34-b627a593.pth", "torchvision ResNet34_Weights.IMAGENET1K_V1", ""},
    {"resnet34-333f7ec4.pth", "torchvision before 0.10, resnet34", ""},
    {"resnet50-0676ba61.pth", "torchvision ResNet50_Weights.IMAGENET1K_V1", ""},
    {"resnet50-11ad3fa6.pth", "torchvision ResNet50_Weights.IMAGENET1K_V2", ""},
    {"resnet50-19c8e357.pth", "torchvision before 0.10, resnet50", ""},
    {"resnet101-63fe2227.pth", "torchvision ResNet101_Weights.IMAGENET1K_V1", ""},
    {"resnet101-cd907fc2.pth", "torchvision ResNet101_Weights.IMAGENET1K_V2", ""},
    {"resnet101-5d3b4d8f.pth", "torchvision before 0.10, resnet101", ""},
    {"squeezenet1_0-b66bff10.pth", "torchvision SqueezeNet1_0_Weights.IMAGENET1K_V1", ""},
    {"squeezenet1_1-b8a52dc0.pth", "torchvision SqueezeNet1_1_Weights.IMAGENET1K_V1", ""},
    {"mobilenet_v2-b0353104.pth", "torchvision MobileNet_V2_Weights.IMAGENET1K_V1", ""},
    {"mobilenet_v2-7ebf99e0.pth", "torchvision MobileNet_V2_Weights.IMAGENET1K_V2", ""},
    {"deit_tiny_patch16_224-a1311bcf.pth", "DeiT's authors, DeiT-tiny", ""},
    {"deit_small_patch16_224-cd65a155.pth", "DeiT's authors, DeiT-small", ""},
    {"deit_base_patch16_224-b5f2ef4d.pth", "DeiT's authors, DeiT-base", ""},
    {"deit_tiny_distilled_patch16_224-b40b3cf7.pth", "DeiT's authors, DeiT-tiny distilled", ""},
    {"deit_small_distilled_patch16_224-649709d9.pth", "DeiT's authors, DeiT-small distilled", ""},
    {"deit_base_distilled_patch16_224-df68dfff.pth", "DeiT's authors, DeiT-base distilled", ""},
    {"deit_base_patch16_384-8de9b5d1.pth", "DeiT's authors, DeiT-base at 384", ""},
    {"jx_vit_base_p16_224-80ecf9dd.pth", "timm, ViT-B/16 (ImageNet-21k, then ImageNet)", ""},
    {"dino_deitsmall16_pretrain.pth", "DINO's authors, ViT-S/16", ""},
    {"dino_deitsmall8_pretrain.pth", "DINO's authors, ViT-S/8", ""},
    {"dino_vitbase16_pretrain.pth", "DINO's authors, ViT-B/16", ""},
    {"dino_vitbase8_pretrain.pth", "DINO's authors, ViT-B/8", ""},
    {"dinov2_vits14_pretrain.pth", "DINOv2's authors, ViT-S/14", ""},
    {"dinov2_vitb14_pretrain.pth", "DINOv2's authors, ViT-B/14", ""},
    {"dinov2_vitl14_pretrain.pth", "DINOv2's authors, ViT-L/14", ""},
    {"mit_b0.pth", "SegFormer's authors, MiT-B0 (ImageNet)", ""},
    {"mit_b1.pth", "SegFormer's authors, MiT-B1 (ImageNet)", ""},
    {"mit_b2.pth", "SegFormer's authors, MiT-B2 (ImageNet)", ""},
    {"mit_b3.pth", "SegFormer's authors, MiT-B3 (ImageNet)", ""},
    {"mit_b4.pth", "SegFormer's authors, MiT-B4 (ImageNet)", ""},
    {"mit_b5.pth", "SegFormer's authors, MiT-B5 (ImageNet)", ""},
    {"ilsvrc-cls_rna-a1_cls1000_ep-0001.params", "ademxapp's authors, ResNet-38 (ImageNet) in MXNet's format", ""},
    {"RN50.pt", "OpenAI CLIP RN50", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"},
    {"ViT-B-32.pt", "OpenAI CLIP ViT-B/32", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"},
    {"ViT-B-16.pt", "OpenAI CLIP ViT-B/16", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"},
    {"ViT-L-14.pt", "OpenAI CLIP ViT-L/14", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"},
    {"bpe_simple_vocab_16e6.txt.gz", "openai/CLIP, clip/bpe_simple_vocab_16e6.txt.gz",
     "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"},
    {"shufflenetv2.pth", "dog-qiuqiu/FastestDet, module/shufflenetv2.pth",
     "c9e6e3ac1c4997e05529cfb4897a3b5d29165e3ed4105cfb6897fc11efa72e4b"},
    {"squeezenet_v1.0_decoded.safetensors", "songhan/SqueezeNet-Deep-Compression, decoded",
     "311d979d08ac34b17a5b6a7fa5ea462539a4264df1d0289d36f7d20eb840c1e9"},
    {"localization_cues.pickle.gz", "kolesman/SEC, training/localization_cues",
     "a80939fbcc86cd018066588751adf9bebc4de6f830e357b15b8b7c754556b71a"},
});

// "0676ba61" of "resnet50-0676ba61.pth".
std::string_view digits_in_name(std::string_view name) {
  constexpr std::size_t kFewest = 8;
  const std::string_view stem = name.substr(0, name.rfind('.'));
  const std::size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view digits = stem.substr(dash + 1);
  const bool is_digest = digits.size() >= kFewest && digits.size() <= 64 &&
                         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return is_digest ? digits : std::string_view();
}

std::string_view published_digest(const KnownWeights& known) {
  return known.sha256.empty() ? digits_in_name(known.name) : known.sha256;
}

}  // namespace

const KnownWeights* find_known_weights(std::string_view file_name, std::string_view sha256) {
  const auto by_content = std::find_if(kKnown.begin(), kKnown.end(), [&](const KnownWeights& known) {
    const std::string_view digest = published_digest(known);
    return !digest.empty() && sha256.starts_with(digest);
  });
  if (by_content != kKnown.end()) return &*by_content;
  const auto by_name =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const KnownWeights& known) { return known.name == file_name; });
  return by_name == kKnown.end() ? nullptr : &*by_name;
}

std::string expected_digest(std::string_view file_name, const KnownWeights* known) {
  return std::string(known ? published_digest(*known) : digits_in_name(file_name));
}

}  // namespace seedbed::cli
