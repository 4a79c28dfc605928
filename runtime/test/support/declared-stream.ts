import { create, createFileRegistry, type DescMessage, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, MessageOptionsSchema } from "@bufbuild/protobuf/wkt";
import { StreamSchema, stream } from "@oceanchat/gen/oceanchat/options/v1/options_pb";

/** A message type that declares this stream, as a .proto file would. */
export function declareStream(declaration: MessageInitShape<typeof StreamSchema>): DescMessage {
  const options = create(MessageOptionsSchema);
  setExtension(options, stream, create(StreamSchema, declaration));
  const file = create(FileDescriptorProtoSchema, {
    name: "entry.proto",
    package: "test",
    syntax: "proto3",
    messageType: [{ name: "Entry", options }],
  });
  const found = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getMessage("test.Entry");
  if (found === undefined) throw new Error("the test's own descriptor is wrong");
  return found;
}
