file(READ "${INPUT}" fingerprint)
string(JSON fingerprint SET "${fingerprint}" torch_version "\"1.13.1\"")
string(JSON fingerprint SET "${fingerprint}" compiler_major "\"9\"")
file(WRITE "${OUTPUT}" "${fingerprint}\n")
