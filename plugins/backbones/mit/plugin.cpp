#include "seedbed/plugin.hpp"
#include "mit.hpp"
#include "mit_manifest.hpp"

namespace seedbed::mit {
namespace {

template <typename Parameters>
void add(Registrar& registrar, std::vector<std::int64_t> widths, std::vector<std::int64_t> depths) {
  registrar.add_backbone(Parameters::kId, typed<Parameters>([=](const Parameters& p, const ModelContext& context) {
                           const MitOptions options{.widths = widths,
                                                    .depths = depths,
                                                    .strides = p.strides,
                                                    .drop_path = p.drop_path,
                                                    .frozen_stages = p.frozen_stages};
                           return std::make_shared<Mit>(options, context.run->generator());
                         }));
}

void register_all(Registrar& registrar) {
  // Channels and blocks of each stage: Xie et al., table 6.
  const std::vector<std::int64_t> wide{64, 128, 320, 512};
  add<MitB0Parameters>(registrar, {32, 64, 160, 256}, {2, 2, 2, 2});
  add<MitB1Parameters>(registrar, wide, {2, 2, 2, 2});
  add<MitB2Parameters>(registrar, wide, {3, 4, 6, 3});
  add<MitB3Parameters>(registrar, wide, {3, 4, 18, 3});
  add<MitB4Parameters>(registrar, wide, {3, 8, 27, 3});
  add<MitB5Parameters>(registrar, wide, {3, 6, 40, 3});
}

}  // namespace
}  // namespace seedbed::mit

SEEDBED_PLUGIN(seedbed::mit::register_all)
