#pragma once

#include <map>
#include <string>
#include <string_view>

#include "digest/file_digests.hpp"
#include "manifest/catalogue.hpp"
#include "plan/content_digests.hpp"
#include "protocol/stage.hpp"

namespace seedbed::plan {

/// Turns METHOD objects of a resolved configuration into bindings, and bindings into the part of a key they make up.
class Bindings {
 public:
  Bindings(const manifest::Catalogue& catalogue, ContentDigests& digests) : catalogue_(catalogue), digests_(digests) {}

  /// Throws: UserError where the catalogue has no such method (any more).
  protocol::MethodBinding bind(const Json& method);

  /// Id, revision, parameters, digests of files, and the same of what it uses; with `library_bytes` (policy `binary`)
  /// also the library's digest. Paths are left out: the same file elsewhere is the same input.
  Json key_part(const protocol::MethodBinding& binding, bool library_bytes);

  const MethodManifest& manifest_of(const protocol::MethodBinding& binding) const;

  /// Whether the method has the trait under its resolved parameters; what it uses counts for `random`.
  bool has_trait(const protocol::MethodBinding& binding, std::string_view trait) const;

  /// Facts of every library that was bound, for the store.
  std::vector<Json> libraries() const;

 private:
  const manifest::Catalogue& catalogue_;
  ContentDigests& digests_;
  std::map<std::string, Json> libraries_;
};

/// Parameters of a binding as the manifest types them. Throws: ContractError where they are not what it declares.
ParameterValues parameter_values(const protocol::MethodBinding& binding, const MethodManifest& manifest);

}  // namespace seedbed::plan
