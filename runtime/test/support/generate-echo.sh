#!/bin/sh
# Writes echo_pb.ts from echo.proto; run from the root of the repository after a change of the latter.
set -eu
modules='{"version":"v2","modules":[{"path":"runtime/test/support"},{"path":"proto","excludes":["proto/third_party"]},{"path":"proto/third_party"},{"path":".oceanchat/third_party"}]}'
plugin='{"version":"v2","plugins":[{"local":["node_modules/.bin/node","node_modules/.bin/protoc-gen-es"],"out":"runtime/test/support","opt":["target=ts","import_extension=none","erasable_syntax=true","rewrite_imports=./oceanchat/**/*_pb.js:@oceanchat/gen","rewrite_imports=./buf/**/*_pb.js:@bufbuild/protovalidate/gen"]}]}'
node_modules/.bin/buf generate --config "$modules" --template "$plugin" --path runtime/test/support/echo.proto
# The package exports its files without an extension.
sed -i 's|\(@oceanchat/gen/.*_pb\)\.js"|\1"|' runtime/test/support/echo_pb.ts
node_modules/.bin/biome check --write runtime/test/support/echo_pb.ts
