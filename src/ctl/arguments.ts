import { buildId, deployId, hostName, serviceName } from "../schema/names.ts";
import { matching } from "../cli/flags.ts";

/** Positional arguments that several verbs share. */
export const serviceArgument = { brief: "Name of the service", placeholder: "service", parse: matching(serviceName) };
export const buildArgument = { brief: "Id of the build", placeholder: "build", parse: matching(buildId) };
export const hostArgument = { brief: "Name of the host", placeholder: "host", parse: matching(hostName) };

export const deployArgument = { brief: "Id of the deploy", placeholder: "deploy", parse: matching(deployId) };

export const parseBuildId = matching(buildId);
export const parseDeployId = matching(deployId);
