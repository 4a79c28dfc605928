import { loadInfraConfig } from "@oceanchat/infra/config";

/** Whether each service is a process of its own, as OCEANCHAT_MODE says. In a single process nobody is left to see one service die. */
export const inMesh: boolean = loadInfraConfig(process.env).mode === "mesh";
