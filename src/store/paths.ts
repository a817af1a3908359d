/*
 * The paths of deployd's tree (design, section 4), below the chroot, which the client adds.
 */

export const rootPath = "/";
export const servicesPath = "/services";
export const agentsPath = "/agents";
export const conductorPath = "/conductor";

export const agentPath = (host: string) => `${agentsPath}/${host}`;
export const servicePath = (service: string) => `${servicesPath}/${service}`;
export const enabledPath = (service: string) => `${servicePath(service)}/enabled`;
export const canaryPath = (service: string) => `${enabledPath(service)}/canary`;
export const hostsPath = (service: string) => `${servicePath(service)}/hosts`;
export const hostPath = (service: string, host: string) => `${hostsPath(service)}/${host}`;
export const buildsPath = (service: string) => `${servicePath(service)}/builds`;
export const buildPath = (service: string, build: string) => `${buildsPath(service)}/${build}`;
export const deploysPath = (service: string) => `${servicePath(service)}/deploys`;
export const deployPath = (service: string, deploy: string) => `${deploysPath(service)}/${deploy}`;
export const timelinesPath = (service: string) => `${servicePath(service)}/timelines`;
export const timelinePath = (service: string, deploy: string) => `${timelinesPath(service)}/${deploy}`;
export const gatePath = (service: string) => `${servicePath(service)}/gate`;
export const slotsPath = (service: string) => `${servicePath(service)}/slots`;
export const slotPath = (service: string, host: string) => `${slotsPath(service)}/${host}`;
export const failuresPath = (service: string) => `${servicePath(service)}/failed`;
export const failurePath = (service: string, host: string) => `${failuresPath(service)}/${host}`;
export const statusesPath = (service: string) => `${servicePath(service)}/status`;
export const statusPath = (service: string, host: string) => `${statusesPath(service)}/${host}`;
export const allToldPath = (service: string) => `${servicePath(service)}/told`;
export const toldPath = (service: string, deploy: string) => `${allToldPath(service)}/${deploy}`;
