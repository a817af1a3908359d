/** The agent's own settings, unless --config names another file; install.sh puts a sample there. */
export const DEFAULT_CONFIG = "/etc/deployd/agent.toml";
