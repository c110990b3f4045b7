#include "seedbed/plugin.hpp"
#include "deeplab_v3.hpp"
#include "deeplab_v3_plus.hpp"
#include "summed_aspp.hpp"

namespace seedbed::deeplab {
namespace {

// DeepLab's new layers start from this deviation (TPAMI 2018, section 4; deeplab-pytorch).
constexpr double kClassifierDeviation = 0.01;

template <typename Head, typename Parameters>
void add(Registrar& registrar) {
  registrar.add_segmentation_head(Parameters::kId,
                                  typed<Parameters>([](const Parameters& parameters, const ModelContext& context) {
                                    return std::make_shared<Head>(parameters, context);
                                  }));
}

void add_summed(Registrar& registrar) {
  registrar.add_segmentation_head(
      AsppParameters::kId, typed<AsppParameters>([](const AsppParameters& parameters, const ModelContext& context) {
        return std::make_shared<SummedAspp>(
            SummedAsppOptions{.tap = parameters.tap, .atrous_rates = parameters.atrous_rates, .bias = parameters.bias},
            context);
      }));
  registrar.add_segmentation_head(
      DeeplabV2Parameters::kId,
      typed<DeeplabV2Parameters>([](const DeeplabV2Parameters& parameters, const ModelContext& context) {
        return std::make_shared<SummedAspp>(SummedAsppOptions{.tap = parameters.tap,
                                                              .atrous_rates = parameters.atrous_rates,
                                                              .bias = true,
                                                              .hidden_width = parameters.width,
                                                              .dropout = parameters.dropout,
                                                              .classifier_deviation = kClassifierDeviation},
                                            context);
      }));
}

void register_all(Registrar& registrar) {
  add_summed(registrar);
  add<DeepLabV3, DeeplabV3Parameters>(registrar);
  add<DeepLabV3Plus, DeeplabV3PlusParameters>(registrar);
}

}  // namespace
}  // namespace seedbed::deeplab

SEEDBED_PLUGIN(seedbed::deeplab::register_all)
